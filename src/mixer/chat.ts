/**
 * Conversations through the model's own chat template, with the assistant's turns found in the
 * rendered text. A template is a program, so the turns are found by rendering ever longer prefixes
 * of the conversation: turn i is what appears between "everything before it, asking for an answer"
 * and "everything up to it". That holds only if each rendering begins the next one; it is checked,
 * because a wrong guess would train on the wrong tokens without a sign.
 */
import { Template } from '@huggingface/jinja';
import { z } from 'zod';
import { CfsError, messageOf } from '../errors.js';
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
 * A function from the value of a `messages` field to its example: every assistant turn is trained
 * on, from after its header up to and with its end marker (white space after that is not). What
 * follows the last assistant turn is left out.
 *
 * It throws `MESSAGES_INVALID`, `NO_ASSISTANT_TURN`, `CHAT_TEMPLATE_FAILED`, `CHAT_TEMPLATE_PREFIX`;
 * making it throws `CHAT_TEMPLATE_BROKEN`.
 */
export function createChatFormatter(
  options: ChatOptions,
): (value: unknown, field: string) => Example {
  const template = compile(options.template);
  const render = (messages: Messages, add_generation_prompt: boolean): string => {
    const { bosToken: bos_token, eosToken: eos_token } = options;
    try {
      return template.render({ messages, add_generation_prompt, bos_token, eos_token });
    } catch (cause) {
      throw new CfsError({
        code: 'CHAT_TEMPLATE_FAILED',
        message: `The chat template rejects this conversation: ${messageOf(cause)}`,
        remedy: 'Order the messages as the model expects, usually user and assistant taking turns.',
        cause,
      });
    }
  };
  return (value, field) => formatConversation(parseMessages(value, field), render);
}

function formatConversation(
  conversation: Messages,
  render: (messages: Messages, ask: boolean) => string,
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
  const whole = render(messages, false);
  const segments: Segment[] = [];
  let at = 0;
  messages.forEach((message, i) => {
    if (!isAssistant(message)) return;
    if (message.content.trim() === '') throw emptyTurn(i);
    const before = render(messages.slice(0, i), true);
    const after = render(messages.slice(0, i + 1), false).trimEnd();
    const holds = before.length >= at && after.startsWith(before) && whole.startsWith(after);
    if (!holds) throw prefixBroken(i);
    segments.push({ text: whole.slice(at, before.length), supervised: false });
    segments.push({ text: after.slice(before.length), supervised: true });
    at = after.length;
  });
  const finalTurn = messages[last]?.content.trimEnd() ?? '';
  return { segments, chat: true, addEos: whole.trimEnd().endsWith(finalTurn) };
}

function isAssistant(message: { role: string }): boolean {
  return message.role === 'assistant';
}

function compile(template: string): Template {
  try {
    return new Template(template);
  } catch (cause) {
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
