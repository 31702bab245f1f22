/**
 * What the project's own tests need of Vitest, for a machine that has nothing but Node: `describe`,
 * `it` and the hooks are kept here and run one after another; `expect` is Vitest's own. The pack's
 * tests are the files under `test/`, bundled with this in Vitest's place.
 */
import { JestAsymmetricMatchers, JestChaiExpect, JestExtend, setState } from '@vitest/expect';
import * as chai from 'chai';
import { messageOf } from '../../src/errors.js';

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);

/** As Vitest's own does: a message may follow the value. */
export const expect = Object.assign((value: unknown, message?: string) => {
  setState({ assertionCalls: 0, isExpectingAssertions: false }, expect as never);
  return chai.expect(value, message);
}, chai.expect);

type Body = (...values: unknown[]) => unknown;

interface Suite {
  names: string[];
  parent?: Suite;
  before: Body[];
  after: Body[];
  afterAll: Body[];
}

interface Test {
  name: string;
  suite: Suite;
  body: () => unknown;
}

const tests: Test[] = [];
let suite: Suite = { names: [], before: [], after: [], afterAll: [] };
const suites: Suite[] = [suite];

function addTest(name: string, body: () => unknown): void {
  tests.push({ name: [...suite.names, name].join(' › '), suite, body });
}

function addSuite(name: string, body: () => unknown): void {
  const parent = suite;
  suite = { names: [...parent.names, name], parent, before: [], after: [], afterAll: [] };
  suites.push(suite);
  body();
  suite = parent;
}

/** `%s` and the like in turn, `$field` of an object. */
function nameOf(name: string, values: readonly unknown[]): string {
  let next = 0;
  const [first] = values;
  const fields = typeof first === 'object' && first !== null ? first : {};
  const text = (value: unknown): string =>
    typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  return name
    .replace(/%[sdifjo]/g, () => text(values[next++]))
    .replace(/\$(\w+)/g, (whole, key: string) =>
      key in fields ? text((fields as Record<string, unknown>)[key]) : whole,
    );
}

function collector(add: (name: string, body: () => unknown) => void) {
  const each = (cases: readonly unknown[]) => (name: string, body: Body) => {
    for (const one of cases) {
      const values: unknown[] = Array.isArray(one) ? one : [one];
      add(nameOf(name, values), () => body(...values));
    }
  };
  const skip = Object.assign((): void => undefined, { each: () => (): void => undefined });
  const collect = (name: string, body: () => unknown): void => add(name, body);
  const all = Object.assign(collect, { each, skip });
  return Object.assign(all, {
    skipIf: (condition: unknown) => (condition ? skip : all),
    runIf: (condition: unknown) => (condition ? all : skip),
  });
}

export const it = collector(addTest);
export const test = it;
export const describe = collector(addSuite);
export const beforeEach = (body: Body): void => void suite.before.push(body);
export const afterEach = (body: Body): void => void suite.after.push(body);
export const afterAll = (body: Body): void => void suite.afterAll.push(body);

function withParents(of: Suite): Suite[] {
  return of.parent === undefined ? [of] : [...withParents(of.parent), of];
}

/**
 * Runs what was collected, except tests whose name matches one of `except`, and tells how each went.
 * `only` is for trying it out.
 */
export async function runTests(
  tell: (name: string, error: string | undefined) => void,
  except: readonly RegExp[],
  only: RegExp,
): Promise<void> {
  for (const { name, suite, body } of tests) {
    if (!only.test(name) || except.some((pattern) => pattern.test(name))) continue;
    const around = withParents(suite);
    let error: string | undefined;
    try {
      for (const { before } of around) for (const hook of before) await hook();
      await body();
    } catch (thrown) {
      error = messageOf(thrown);
    }
    for (const { after } of around.reverse()) for (const hook of after) await hook();
    tell(name, error);
  }
  for (const { afterAll } of suites) for (const hook of afterAll) await hook();
}
