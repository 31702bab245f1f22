/** What the two ends of a line make of messages that do not keep to the contract. */
import { expect, it } from 'vitest';
import { z } from 'zod';
import type { CfsError } from '../../../src/errors.js';
import { createRpc, type Endpoint, type Rpc } from '../../../src/protocol/rpc.js';
import { expectError } from '../../support/expectError.js';

const contract = {
  requests: { half: { params: z.object({ of: z.int() }), result: z.int() } },
  events: { told: z.object({ name: z.string() }) },
};
type Contract = typeof contract;
/** What another version would ask. */
const newer = {
  requests: { ...contract.requests, double: { params: z.object({}), result: z.int() } },
  events: contract.events,
};
type Newer = typeof newer;
const nothing = { requests: {}, events: {} };

/** Two ends whose messages arrive at once; `inject` is a message of no end of ours. */
function line(): { ends: [Endpoint, Endpoint]; inject: (message: unknown) => void } {
  const hear: ((message: unknown) => void)[] = [];
  const end = (mine: number): Endpoint => ({
    post: (message) => hear[1 - mine]?.(message),
    listen: (receive) => {
      hear[mine] = receive;
      return () => undefined;
    },
  });
  return { ends: [end(0), end(1)], inject: (message) => hear[0]?.(message) };
}

function connect(): {
  rpc: Rpc<typeof nothing, Newer>;
  problems: CfsError[];
  inject: (message: unknown) => void;
} {
  const { ends, inject } = line();
  const problems: CfsError[] = [];
  const [here, there] = ends;
  createRpc<Contract, typeof nothing>({
    endpoint: there,
    mine: contract,
    theirs: nothing,
    handlers: { half: ({ of }) => (of === 0 ? new Promise(() => undefined) : of / 2) },
    listeners: {},
    onProblem: (problem) => problems.push(problem),
  });
  const rpc = createRpc<typeof nothing, Newer>({
    endpoint: here,
    mine: nothing,
    theirs: newer,
    handlers: {},
    listeners: { told: () => undefined },
    onProblem: (problem) => problems.push(problem),
  });
  return { rpc, problems, inject };
}

it('refuses parameters, answers and requests that the contract does not know', async () => {
  const { rpc } = connect();
  expect(await rpc.request('half', { of: 4 })).toBe(2);
  const asked = await expectError('RPC_INVALID', () => rpc.request('half', { of: 0.5 }));
  expect(asked.message).toContain('at of');
  const answered = await expectError('RPC_INVALID', () => rpc.request('half', { of: 3 }));
  expect(answered.message).toContain('the answer to “half”');
  const named = await expectError('RPC_INVALID', () => rpc.request('double', {}));
  expect(named.message).toContain('there is no request “double”');
});

it('tells of events and messages that it cannot read', () => {
  const { problems, inject } = connect();
  inject({ kind: 'event', name: 'told', payload: { name: 3 } });
  inject({ kind: 'event', name: 'constructor', payload: {} });
  inject('news');
  expect(problems.map(({ code }) => code)).toEqual(['RPC_INVALID', 'RPC_INVALID', 'RPC_INVALID']);
  expect(problems[0]?.message).toContain('at name');
});

it('rejects with the error of the other side, also one that only that side knows', async () => {
  const { rpc, inject } = connect();
  const waiting = expectError('OTHER_VERSION', () => rpc.request('half', { of: 0 }));
  const error = { code: 'DISK_TIRED', message: 'Full.', remedy: 'Free some.', place: {} };
  inject({ kind: 'refusal', id: 0, error });
  expect((await waiting).message).toBe('DISK_TIRED: Full.');
});

it('fails a request that gets no answer in time, and hears the others', async () => {
  const { rpc } = connect();
  const ask = () => rpc.request('half', { of: 0 }, { timeoutMs: 20 });
  expect((await expectError('RPC_TIMEOUT', ask)).message).toContain('“half”');
  expect(await rpc.request('half', { of: 4 })).toBe(2);
});
