/**
 * Conversations through the model's own chat template, with the assistant's turns found in the
 * rendered text. A template is a program, so turn i is what appears between the rendering of
 * "everything before it, asking for an answer" and that of "everything up to it". That holds only if
 * each rendering begins the next one; it is checked, because a wrong guess would train on the wrong
 * tokens without a sign. The renderings come from one pass over the conversation for each of the two
 * kinds (`conversation.ts`), those that cannot be had so one by one.
 */
import { z } from 'zod';
import { CfsError, defined, messageOf } from '../errors.js';
import { limitsFor, parseJinja, renderWithin, sizeOf, type JinjaTemplate } from '../jinja.js';
import { JinjaLimit } from '../jinjaProgram.js';
import { renderBeginnings, type Outcome, type Pass, type Rendering } from './conversation.js';
import type { Example, Segment } from './example.js';

const messagesSchema = z.array(z.looseObject({ role: z.string(), content: z.string() })).min(1);

type Messages = z.infer<typeof messagesSchema>;

export interface ChatOptions {
  /** The Jinja text, as in `tokenizer_config.json`. */
  template: string;
  /** What the template sees as `bos_token` and `eos_token`; empty when the model has none. */
  bosToken: string;
  eosToken: string;
}

/**
 * A conversation has at most so many answers where the template's text for each must be had by
 * itself: each takes as long as all that comes before it.
 */
const mostAnswersAlone = 200;
/** Steps, as multiples of those that one rendering may take: a pass looks ahead at every answer. */
const passShare = 4;
const aloneShare = 8;

/**
 * A function from the value of a `messages` field to its example: every assistant turn is trained
 * on, from after its header up to and with its end marker (white space after that is not). What
 * follows the last assistant turn is left out.
 *
 * It throws `MESSAGES_INVALID`, `NO_ASSISTANT_TURN`, `CHAT_TEMPLATE_FAILED`, `CHAT_TEMPLATE_PREFIX`,
 * `CHAT_ANSWERS_TOO_MANY`, `TEMPLATE_LIMIT`; making it throws `CHAT_TEMPLATE_BROKEN`,
 * `TEMPLATE_LIMIT`.
 */
export function createChatFormatter(
  options: ChatOptions,
): (value: unknown, field: string) => Example {
  const template = compile(options.template);
  const tokens = { bos_token: options.bosToken, eos_token: options.eosToken };
  return (value, field) => {
    const messages = parseMessages(value, field);
    return template.within(() => formatConversation(messages, template, tokens));
  };
}

type Tokens = Record<'bos_token' | 'eos_token', string>;

function formatConversation(
  conversation: Messages,
  template: JinjaTemplate,
  tokens: Tokens,
): Example {
  const last = conversation.findLastIndex(isAssistant);
  if (last < 0) {
    throw new CfsError({
      code: 'NO_ASSISTANT_TURN',
      message:
        'The conversation has no message with the role "assistant", so there is nothing to train on.',
      remedy: 'Add the answer as a message with the role "assistant".',
    });
  }
  const messages = conversation.slice(0, last + 1);
  const { whole, bounds } = renderTurns(messages, template, tokens);
  const segments: Segment[] = [];
  let at = 0;
  messages.forEach((message, i) => {
    if (!isAssistant(message)) return;
    if (message.content.trim() === '') throw emptyTurn(i);
    const { start, end } = bounds(i);
    if (start === undefined || end === undefined || start < at || end < start)
      throw prefixBroken(i);
    segments.push({ text: whole.slice(at, start), supervised: false });
    segments.push({ text: whole.slice(start, end), supervised: true });
    at = end;
  });
  const finalTurn = messages[last]?.content.trimEnd() ?? '';
  return { segments, chat: true, addEos: whole.trimEnd().endsWith(finalTurn) };
}

interface Turns {
  whole: string;
  /** Where answer `i` is in the whole; undefined where the whole does not begin with its rendering. */
  bounds: (i: number) => { start: number | undefined; end: number | undefined };
}

function renderTurns(messages: Messages, template: JinjaTemplate, tokens: Tokens): Turns {
  const size = sizeOf(messages);
  const valuesOf = (part: Messages, ask: boolean) => {
    return { messages: part, add_generation_prompt: ask, ...tokens };
  };
  const pass = (part: Messages, ask: boolean, wanted: readonly number[]): Pass =>
    renderBeginnings(template, valuesOf(part, ask), new Set(wanted), limitsFor(size, passShare));
  const answers = [...messages.keys()].filter((i) => isAssistant(defined(messages[i], 'message')));
  const last = messages.length - 1;
  const ends = answers.map((i) => i + 1);
  const told = pass(messages, false, ends);
  requireText(told.whole);
  const asking = pass(messages.slice(0, last), true, answers);
  const outcome = ({ whole, beginning }: Pass, length: number, all: number) =>
    length === all ? whole : beginning(length);
  const before = (i: number): Outcome | undefined => outcome(asking, i, last);
  const after = (i: number): Outcome | undefined => outcome(told, i + 1, last + 1);
  const alone = answers.filter((i) => before(i) === undefined || after(i) === undefined);
  if (alone.length > mostAnswersAlone) throw tooManyAnswers(alone.length);

  const limits = limitsFor(size, aloneShare);
  const renderAlone = (length: number, ask: boolean): Rendering => {
    const rest = attemptText(() =>
      renderWithin(template, valuesOf(messages.slice(0, length), ask), limits),
    );
    return { shared: 0, rest };
  };
  const whole = told.text;
  const common = commonLength(whole, asking.text);
  return {
    whole,
    bounds: (i) => {
      const start = requireText(before(i) ?? renderAlone(i, true));
      const end = requireText(after(i) ?? renderAlone(i + 1, false));
      return {
        start: start.shared <= common ? lengthIn(whole, start) : undefined,
        end: lengthIn(whole, trimmedEnd(whole, end)),
      };
    },
  };
}

/** The length of a text that begins as `whole` does and ends with `rest`, if `whole` begins with it. */
function lengthIn(whole: string, { shared, rest }: Rendering): number | undefined {
  return whole.startsWith(rest, shared) ? shared + rest.length : undefined;
}

function trimmedEnd(whole: string, { shared, rest }: Rendering): Rendering {
  const trimmed = rest.trimEnd();
  if (trimmed !== '') return { shared, rest: trimmed };
  return { shared: whole.slice(0, shared).trimEnd().length, rest: '' };
}

function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

function requireText(outcome: Outcome): Rendering {
  if ('error' in outcome) throw rejected(outcome.error);
  return outcome;
}

function attemptText(render: () => string): string {
  try {
    return render();
  } catch (cause) {
    throw cause instanceof JinjaLimit ? cause : rejected(cause);
  }
}

function isAssistant(message: { role: string }): boolean {
  return message.role === 'assistant';
}

function compile(template: string): JinjaTemplate {
  try {
    return parseJinja(template, { name: 'The chat template', trimBlocks: true });
  } catch (cause) {
    if (cause instanceof CfsError) throw cause;
    throw new CfsError({
      code: 'CHAT_TEMPLATE_BROKEN',
      message: `The model's chat template cannot be read: ${messageOf(cause)}`,
      remedy: 'Correct chat_template in tokenizer_config.json, or map the columns to a prompt.',
      cause,
    });
  }
}

function parseMessages(value: unknown, field: string): Messages {
  const parsed = messagesSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = (issue?.path ?? []).map((part) =>
    typeof part === 'number' ? `[${part}]` : `.${String(part)}`,
  );
  throw new CfsError({
    code: 'MESSAGES_INVALID',
    message: `The conversation cannot be read: ${issue?.message ?? 'unknown shape'}.`,
    remedy: 'Use a list of {"role": "user" or "assistant" or "system", "content": "text"}.',
    place: { field: `${field}${path.join('')}` },
  });
}

function emptyTurn(index: number): CfsError {
  return new CfsError({
    code: 'EMPTY_RESPONSE',
    message: `Message ${index + 1}, an answer from the assistant, is empty.`,
    remedy: 'Fill in the answer, or delete the row.',
    place: { field: `messages[${index}].content` },
  });
}

function prefixBroken(index: number): CfsError {
  return new CfsError({
    code: 'CHAT_TEMPLATE_PREFIX',
    message:
      `The chat template writes the conversation up to message ${index + 1} differently when ` +
      'more messages follow, so the tokens of its answers cannot be found.',
    remedy: 'Split the conversation into rows with one answer each, or use another chat template.',
    place: { field: `messages[${index}]` },
  });
}

function rejected(cause: unknown): CfsError {
  return new CfsError({
    code: 'CHAT_TEMPLATE_FAILED',
    message: `The chat template rejects this conversation: ${messageOf(cause)}`,
    remedy: 'Order the messages as the model expects, usually user and assistant taking turns.',
    cause,
  });
}

function tooManyAnswers(count: number): CfsError {
  return new CfsError({
    code: 'CHAT_ANSWERS_TOO_MANY',
    message:
      `The conversation has ${count} answers, and what the chat template writes may depend on ` +
      `messages that come later; such conversations are read up to ${mostAnswersAlone} answers.`,
    remedy: 'Split the conversation into rows of fewer answers, or use another chat template.',
    place: { field: 'messages' },
  });
}
