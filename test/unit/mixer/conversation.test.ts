/**
 * The turns of a conversation come from one pass; here they are compared with what rendering every
 * beginning by itself gives, the plain definition of a turn, over templates of every kind.
 */
import { existsSync, readFileSync } from 'node:fs';
import { Template } from '@huggingface/jinja';
import { describe, expect, it } from 'vitest';
import { CfsError, messageOf } from '../../../src/errors.js';
import { createChatFormatter } from '../../../src/mixer/chat.js';
import { createRandom } from '../../../src/random.js';
import { forwardTemplates, otherTemplates, pieces } from '../../support/chatTemplates.js';
import { expectError } from '../../support/expectError.js';

interface Message {
  role: string;
  content: string;
}
type Outcome = { segments: [string, boolean][]; addEos: boolean } | { code: string; said: string };

const tokens = { bosToken: '<s>', eosToken: '</s>' };

/** Every beginning rendered by itself, with the library alone. */
function plainly(text: string, conversation: Message[]): Outcome {
  const template = new Template(text);
  const isAnswer = ({ role }: Message): boolean => role === 'assistant';
  const last = conversation.findLastIndex(isAnswer);
  if (last < 0) return { code: 'NO_ASSISTANT_TURN', said: '' };
  const render = (messages: Message[], add_generation_prompt: boolean): string =>
    template.render({ messages, add_generation_prompt, bos_token: '<s>', eos_token: '</s>' });
  const messages = conversation.slice(0, last + 1);
  const segments: [string, boolean][] = [];
  let at = 0;
  try {
    const whole = render(messages, false);
    for (const [i, message] of messages.entries()) {
      if (!isAnswer(message)) continue;
      if (message.content.trim() === '') return { code: 'EMPTY_RESPONSE', said: `[${i}]` };
      const before = render(messages.slice(0, i), true);
      const after = render(messages.slice(0, i + 1), false).trimEnd();
      const holds = before.length >= at && after.startsWith(before) && whole.startsWith(after);
      if (!holds) return { code: 'CHAT_TEMPLATE_PREFIX', said: `[${i}]` };
      segments.push([whole.slice(at, before.length), false], [after.slice(before.length), true]);
      at = after.length;
    }
    const finalTurn = messages[last]?.content.trimEnd() ?? '';
    return { segments, addEos: whole.trimEnd().endsWith(finalTurn) };
  } catch (error) {
    return { code: 'CHAT_TEMPLATE_FAILED', said: messageOf(error) };
  }
}

function inOnePass(text: string, conversation: Message[]): Outcome {
  try {
    const { segments, addEos } = createChatFormatter({ template: text, ...tokens })(
      conversation,
      '',
    );
    return { segments: segments.map((s) => [s.text, s.supervised]), addEos };
  } catch (error) {
    if (!(error instanceof CfsError)) throw error;
    const { code, message, place } = error;
    if (code === 'CHAT_TEMPLATE_FAILED') {
      return { code, said: message.replace('The chat template rejects this conversation: ', '') };
    }
    return { code, said: /\[\d+\]/.exec(place.field ?? '')?.[0] ?? '' };
  }
}

const random = createRandom(11);
const pick = <T>(from: readonly T[]): T => {
  const chosen = from[random.below(from.length)];
  if (chosen === undefined) throw new Error('nothing to pick from');
  return chosen;
};
const contents = ['a', 'b', ' b\n', 'a b', 'b\n\n', '<assistant>', '…', 'c;', 'c;c;', ' '];

/** Mostly turns as they should be. */
function conversation(): Message[] {
  const length = 1 + Math.floor(random.uniform() * 14);
  const isRegular = random.uniform() < 0.6;
  const messages = Array.from({ length }, (_, i) => ({
    role: isRegular ? (i % 2 === 0 ? 'user' : 'assistant') : pick(['user', 'assistant', 'system']),
    content: pick(contents),
  }));
  return random.uniform() < 0.3 ? [{ role: 'system', content: 'S' }, ...messages] : messages;
}

const named = { ...forwardTemplates, ...otherTemplates };

describe('turns from one pass and turns one by one', () => {
  it.each(Object.entries(named))('agree for %s', (_, template) => {
    for (let i = 0; i < 25; i++) {
      const messages = conversation();
      expect(inOnePass(template, messages), JSON.stringify(messages)).toEqual(
        plainly(template, messages),
      );
    }
  });

  it('agree for templates that are made of random pieces', () => {
    const codes = new Map<string, number>();
    for (let i = 0; i < 800; i++) {
      const some = (from: readonly string[], most: number): string =>
        Array.from({ length: Math.floor(random.uniform() * (most + 1)) }, () => pick(from)).join(
          '',
        );
      const loop = `{% for m in ${pick(pieces.list)} %}${some(pieces.body, 5)}{% endfor %}`;
      const template = some(pieces.before, 3) + loop + some(pieces.after, 3);
      const messages = conversation();
      const expected = plainly(template, messages);
      expect(inOnePass(template, messages), template + JSON.stringify(messages)).toEqual(expected);
      const code = 'code' in expected ? expected.code : 'fine';
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    // None of the outcomes is compared by chance only.
    for (const code of ['fine', 'CHAT_TEMPLATE_PREFIX', 'CHAT_TEMPLATE_FAILED']) {
      expect(codes.get(code), code).toBeGreaterThan(20);
    }
  });
});

function long(answers: number): Message[] {
  return Array.from({ length: 2 * answers }, (_, i) => ({
    role: i % 2 === 0 ? 'user' : 'assistant',
    content: `message ${i}, ${'some words '.repeat(i % 7)}`,
  }));
}

describe('long conversations', () => {
  it.each(Object.entries(forwardTemplates))('take one pass with %s', (_, template) => {
    const outcome = inOnePass(template, long(300));
    // Otherwise the number of answers would be refused.
    expect('code' in outcome ? outcome.code : 'fine').toMatch(/^(fine|CHAT_TEMPLATE_PREFIX)$/);
  });

  it('are refused where their beginnings must be rendered one by one', async () => {
    const template = `{% set n = messages | length %}{% for m in messages %}{{ m.content }};{% endfor %}`;
    const format = createChatFormatter({ template, ...tokens });
    expect(format(long(30), 'messages').segments).toHaveLength(60);
    const refused = await expectError('CHAT_ANSWERS_TOO_MANY', () => format(long(300), 'messages'));
    expect(refused.message).toContain('has 299 answers');
    expect(refused.message).toContain('up to 200 answers');
  });
});

const real = '../shared/data/tokenizers';
describe.skipIf(!existsSync(real))('templates of real models (../shared/data/tokenizers)', () => {
  it.each(['llama3_1', 'qwen2_5', 'qwen3'])('%s', (name) => {
    const config = readFileSync(`${real}/${name}/tokenizer_config.json`, 'utf8');
    const { chat_template: template } = JSON.parse(config) as { chat_template: string };
    for (let i = 0; i < 25; i++) {
      const messages = conversation();
      expect(inOnePass(template, messages)).toEqual(plainly(template, messages));
    }
  });
});
