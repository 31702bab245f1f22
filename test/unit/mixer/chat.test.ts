/** Conversations: exactly the assistant's words are trained on, or the row is refused. */
import { readFileSync, existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createChatFormatter, type ChatOptions } from '../../../src/mixer/chat.js';
import { resolveFormat } from '../../../src/mixer/formats.js';
import { expectError } from '../../support/expectError.js';

const chatml =
  "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });

function textOf(template: string, messages: unknown, tokens: Partial<ChatOptions> = {}): string {
  const format = createChatFormatter({ template, bosToken: '', eosToken: '', ...tokens });
  return format(messages, 'messages')
    .segments.map(({ text, supervised }) => (supervised ? `“${text}”` : text))
    .join('');
}

describe('chat templates', () => {
  it('trains on the answer and its end marker only', () => {
    expect(textOf(chatml, [user('Hi'), assistant('Hello')])).toBe(
      '<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n“Hello<|im_end|>”',
    );
  });

  it('trains on every answer of a conversation and drops what follows the last', () => {
    const messages = [user('1'), assistant('2'), user('3'), assistant('4'), user('5')];
    expect(textOf(chatml, messages)).toBe(
      '<|im_start|>user\n1<|im_end|>\n<|im_start|>assistant\n“2<|im_end|>”\n' +
        '<|im_start|>user\n3<|im_end|>\n<|im_start|>assistant\n“4<|im_end|>”',
    );
  });

  it('asks for an EOS token only where the template ends an answer without a marker', () => {
    const bare = "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}";
    const format = (template: string) =>
      createChatFormatter({ template, bosToken: '', eosToken: '' })(
        [user('a'), assistant('b')],
        'm',
      );
    expect(format(bare).addEos).toBe(true);
    expect(format(chatml).addEos).toBe(false);
  });

  it('refuses a template that rewrites earlier turns', () => {
    const rewriting =
      "{% for m in messages %}{{ m.role + ':' + (m.content if loop.last else '…') + ';' }}{% endfor %}" +
      '{% if add_generation_prompt %}assistant:{% endif %}';
    expect(() => textOf(rewriting, [user('a'), assistant('b'), user('c'), assistant('d')])).toThrow(
      expect.objectContaining({ code: 'CHAT_TEMPLATE_PREFIX' }) as Error,
    );
  });

  it.each<[string, unknown, string, string | undefined]>([
    [
      'a missing content',
      [user('a'), { role: 'assistant' }],
      'MESSAGES_INVALID',
      'messages[1].content',
    ],
    ['text for messages', 'a', 'MESSAGES_INVALID', 'messages'],
    ['an empty list', [], 'MESSAGES_INVALID', 'messages'],
    ['no answer', [user('a')], 'NO_ASSISTANT_TURN', undefined],
    ['an empty answer', [user('a'), assistant(' ')], 'EMPTY_RESPONSE', 'messages[1].content'],
  ])('names %s', (_, messages, code, field) => {
    expect(() => textOf(chatml, messages)).toThrow(
      expect.objectContaining({ code, place: field === undefined ? {} : { field } }) as Error,
    );
  });

  it("passes on the template's own complaint, and names a broken template", async () => {
    const strict = "{{ raise_exception('roles must alternate') }}";
    const complain = () => textOf(strict, [user('a'), assistant('b')]);
    const { message } = await expectError('CHAT_TEMPLATE_FAILED', complain);
    expect(message).toContain('roles must alternate');
    expect(() => textOf('{% for', [])).toThrow(
      expect.objectContaining({ code: 'CHAT_TEMPLATE_BROKEN' }) as Error,
    );
    expect(() => resolveFormat(['messages'], {})).toThrow(
      expect.objectContaining({ code: 'CHAT_TEMPLATE_MISSING' }) as Error,
    );
  });
});

const tokenizers = '../shared/data/tokenizers';
describe.skipIf(!existsSync(tokenizers))(
  'templates of real models (../shared/data/tokenizers)',
  () => {
    const templateOf = (name: string): string => {
      const text = readFileSync(`${tokenizers}/${name}/tokenizer_config.json`, 'utf8');
      return (JSON.parse(text) as { chat_template: string }).chat_template;
    };
    const messages = [user('a'), assistant('b'), user('c'), assistant('d')];

    it('Llama 3.1 begins with its BOS token', () => {
      const text = textOf(templateOf('llama3_1'), messages, { bosToken: '<|begin_of_text|>' });
      const turn = (role: string, content: string) =>
        `<|start_header_id|>${role}<|end_header_id|>\n\n${content}`;
      expect(text).toBe(
        `<|begin_of_text|>${turn('user', 'a')}<|eot_id|>${turn('assistant', '“b<|eot_id|>”')}` +
          `${turn('user', 'c')}<|eot_id|>${turn('assistant', '“d<|eot_id|>”')}`,
      );
    });

    it('Qwen 2.5 adds its system message', () => {
      const text = textOf(templateOf('qwen2_5'), messages);
      expect(text).toMatch(/^<\|im_start\|>system\nYou are Qwen/);
      expect(text.match(/“[^”]*”/g)).toEqual(['“b<|im_end|>”', '“d<|im_end|>”']);
    });

    it('Qwen 3 drops the thinking of earlier turns, which is refused; one turn works', () => {
      expect(() => textOf(templateOf('qwen3'), messages)).toThrow('differently when more messages');
      expect(textOf(templateOf('qwen3'), messages.slice(0, 2))).toMatch(
        /assistant\n“<think>\n\n<\/think>\n\nb<\|im_end\|>”$/,
      );
    });
  },
);
