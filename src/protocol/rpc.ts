/**
 * One small remote procedure call for every pair that talks: host and webview, host and preview
 * process. Each side states in a contract what it answers and what it tells; both sides parse what
 * arrives, since the other end may be another version. A handler's error goes back as data, a
 * request that gets no answer in time fails, and disposing fails all that is still open.
 */
import { z } from 'zod';
import { CfsError } from '../errors.js';
import { errorRecord, recordedError } from './errorRecord.js';
import { errorRecordSchema } from './records.js';
import { own } from '../own.js';

export interface Contract {
  /** What this side answers when asked. */
  requests: Record<string, { params: z.ZodType; result: z.ZodType }>;
  /** What this side tells unasked. */
  events: Record<string, z.ZodType>;
}

type Requests<C extends Contract> = C['requests'];
export type Params<C extends Contract, M extends keyof Requests<C>> = z.infer<
  Requests<C>[M]['params']
>;
export type Result<C extends Contract, M extends keyof Requests<C>> = z.infer<
  Requests<C>[M]['result']
>;
export type Handlers<C extends Contract> = {
  [M in keyof Requests<C>]: (params: Params<C, M>) => Promise<Result<C, M>> | Result<C, M>;
};
export type Listeners<C extends Contract> = {
  [E in keyof C['events']]: (payload: z.infer<C['events'][E]>) => void;
};

/** One end of a line that carries plain data. `listen` returns what stops the listening. */
export interface Endpoint {
  post(message: unknown): void;
  listen(receive: (message: unknown) => void): () => void;
}

export interface Rpc<Mine extends Contract, Theirs extends Contract> {
  /**
   * Asks the other side. Rejects with its `CfsError`, with `RPC_TIMEOUT`, `RPC_CLOSED`, or
   * `RPC_INVALID` when the answer is not what the contract says.
   */
  request<M extends keyof Requests<Theirs> & string>(
    method: M,
    params: Params<Theirs, M>,
    options?: { timeoutMs?: number },
  ): Promise<Result<Theirs, M>>;
  /** Tells the other side. */
  tell<E extends keyof Mine['events'] & string>(
    event: E,
    payload: z.infer<Mine['events'][E]>,
  ): void;
  /** Rejects every open request with `RPC_CLOSED` and stops listening. */
  dispose(): void;
}

export interface RpcOptions<Mine extends Contract, Theirs extends Contract> {
  endpoint: Endpoint;
  mine: Mine;
  theirs: Theirs;
  handlers: Handlers<Mine>;
  listeners: Listeners<Theirs>;
  /** Hears of messages that cannot be answered: unknown ones, broken events. */
  onProblem: (problem: CfsError) => void;
}

const messageSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('request'), id: z.int(), method: z.string(), params: z.unknown() }),
  z.object({ kind: z.literal('answer'), id: z.int(), result: z.unknown() }),
  z.object({ kind: z.literal('refusal'), id: z.int(), error: errorRecordSchema }),
  z.object({ kind: z.literal('event'), name: z.string(), payload: z.unknown() }),
]);
type Message = z.infer<typeof messageSchema>;

interface Open {
  method: string;
  resolve: (value: unknown) => void;
  reject: (error: CfsError) => void;
  timer: ReturnType<typeof setTimeout>;
}

const defaultTimeoutMs = 30_000;

export function createRpc<Mine extends Contract, Theirs extends Contract>(
  options: RpcOptions<Mine, Theirs>,
): Rpc<Mine, Theirs> {
  const { endpoint, mine, theirs, onProblem } = options;
  // The schema at the door makes these safe; TypeScript cannot follow a method's name to its types.
  const handlers = new Map(Object.entries(options.handlers as Record<string, Handler>));
  const listeners = new Map(Object.entries(options.listeners as Record<string, Listener>));
  const open = new Map<number, Open>();
  let nextId = 0;
  let closed = false;
  const post = (message: Message): void => {
    if (!closed) endpoint.post(message);
  };

  const answer = async (id: number, method: string, params: unknown): Promise<void> => {
    try {
      const contract = own(mine.requests, method);
      const handler = handlers.get(method);
      if (!contract || !handler) throw invalid(`there is no request “${method}”`);
      const parsed = contract.params.safeParse(params);
      if (!parsed.success)
        throw invalid(`the parameters of “${method}” have ${describe(parsed.error)}`);
      post({ kind: 'answer', id, result: await handler(parsed.data) });
    } catch (error) {
      post({ kind: 'refusal', id, error: errorRecord(error) });
    }
  };

  const settle = (id: number, act: (waiting: Open) => void): void => {
    const waiting = open.get(id);
    // An answer that comes after its time-out has nobody left to hear it.
    if (!waiting) return;
    open.delete(id);
    clearTimeout(waiting.timer);
    act(waiting);
  };

  const accept = (id: number, result: unknown): void =>
    settle(id, ({ method, resolve, reject }) => {
      const parsed = own(theirs.requests, method)?.result.safeParse(result);
      if (parsed?.success) resolve(parsed.data);
      else reject(invalid(`the answer to “${method}” has ${describe(parsed?.error)}`));
    });

  const hear = (name: string, payload: unknown): void => {
    const parsed = own(theirs.events, name)?.safeParse(payload);
    if (parsed?.success) listeners.get(name)?.(parsed.data);
    else onProblem(invalid(`the event “${name}” has ${describe(parsed?.error)}`));
  };

  const stopListening = endpoint.listen((raw) => {
    const parsed = messageSchema.safeParse(raw);
    if (!parsed.success) return onProblem(invalid(`a message has ${describe(parsed.error)}`));
    const message = parsed.data;
    switch (message.kind) {
      case 'request':
        return void answer(message.id, message.method, message.params);
      case 'answer':
        return accept(message.id, message.result);
      case 'refusal':
        return settle(message.id, ({ reject }) => reject(recordedError(message.error)));
      case 'event':
        return hear(message.name, message.payload);
    }
  });

  return {
    request: (method, params, { timeoutMs = defaultTimeoutMs } = {}) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(closedError(method));
        const id = nextId++;
        const timer = setTimeout(
          () => settle(id, (waiting) => waiting.reject(timedOut(method, timeoutMs))),
          timeoutMs,
        );
        open.set(id, { method, resolve: resolve as Open['resolve'], reject, timer });
        post({ kind: 'request', id, method, params });
      }),
    tell: (name, payload) => post({ kind: 'event', name, payload }),
    dispose: () => {
      if (closed) return;
      closed = true;
      stopListening();
      for (const id of [...open.keys()]) {
        settle(id, ({ method, reject }) => reject(closedError(method)));
      }
    },
  };
}

type Handler = (params: unknown) => unknown;
type Listener = (payload: unknown) => void;

function describe(error: z.ZodError | undefined): string {
  const issue = error?.issues[0];
  if (!issue) return 'an unknown name';
  const where = issue.path.map(String).join('.');
  return `something wrong${where === '' ? '' : ` at ${where}`}: ${issue.message}`;
}

function invalid(what: string): CfsError {
  return new CfsError({
    code: 'RPC_INVALID',
    message: `Two parts of CFS Studio do not understand each other: ${what}.`,
    remedy: 'Reload the window; two versions of the extension may be running side by side.',
  });
}

function timedOut(method: string, milliseconds: number): CfsError {
  return new CfsError({
    code: 'RPC_TIMEOUT',
    message: `“${method}” got no answer in ${Math.round(milliseconds / 1000)} s.`,
    remedy: 'Try again; if that does not help, reload the window and look at the CFS Studio log.',
  });
}

function closedError(method: string): CfsError {
  return new CfsError({
    code: 'RPC_CLOSED',
    message: `“${method}” was cancelled because the other side closed.`,
    remedy: 'Open the page again.',
  });
}
