/**
 * The binary format of WebAssembly, as much of it as one loop over arrays takes (core specification
 * 2.0, chapter 5): `run(bytes, ...numbers)` walks the first `bytes` bytes of all arrays, four elements
 * of four bytes at a time, and the exported `memory` holds the arrays one after the other.
 */
import { assert } from './errors.js';

/** Float32 arithmetic on four elements, with its opcode behind the prefix of vector instructions. */
const arithmetic = { Add: 0xe4, Sub: 0xe5, Mul: 0xe6, Div: 0xe7, Sqrt: 0xe3 } as const;
export type LoopOperator = keyof typeof arithmetic;
/** The same on their bits; `Equal` gives all ones or all zeros. */
const bitwise = { And: 0x4e, Or: 0x50, Equal: 0x37 } as const;
const operators = { ...arithmetic, ...bitwise };

/** Values are numbered from 0 in the order in which they are made. */
export type LoopInstruction =
  | { kind: 'load'; array: number; to: number }
  | { kind: 'number'; parameter: number; to: number }
  /** The 32 bits of every element. */
  | { kind: 'constant'; bits: number; to: number }
  | { kind: 'operate'; operator: keyof typeof operators; operands: readonly number[]; to: number }
  /** Bits to the left. */
  | { kind: 'shift'; by: number; operand: number; to: number }
  | { kind: 'store'; array: number; from: number }
  /** `run` returns whether any bit of this was ever set. */
  | { kind: 'notice'; from: number };

/** Collects instructions; `add` numbers the value that its instruction makes. */
export function createInstructions() {
  const instructions: LoopInstruction[] = [];
  let values = 0;
  return {
    instructions,
    add: (instruction: (to: number) => LoopInstruction): number => {
      const to = values++;
      instructions.push(instruction(to));
      return to;
    },
  };
}

export interface LoopShape {
  arrays: number;
  /** Parameters of `run` beside `bytes`. */
  numbers: number;
  /** Room for each array, in elements; divisible by four. */
  blockSize: number;
}

const types = { i32: 0x7f, f32: 0x7d, v128: 0x7b, function: 0x60, none: 0x40 };
const sections = { type: 1, function: 3, memory: 5, export: 7, code: 10 };
const opcodes = {
  loop: 0x03,
  branchIf: 0x0d,
  end: 0x0b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  i32Const: 0x41,
  f32Const: 0x43,
  i32Less: 0x49,
  i32Add: 0x6a,
  vector: 0xfd,
};
const vectorOpcodes = { load: 0x00, store: 0x0b, splat: 0x13, shiftLeft: 0xab, anyTrue: 0x53 };
const pageBytes = 65_536;
const [vectorBytes, elementBytes] = [16, 4];

/** As much of the API as this takes; the types of Node have none of it. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: unknown };
};

export interface CompiledLoop {
  memory: { buffer: ArrayBuffer };
  /** Whether something was noticed: 0 or 1. */
  run: (bytes: number, ...numbers: number[]) => number;
}

export function compileLoop(
  shape: LoopShape,
  instructions: readonly LoopInstruction[],
): CompiledLoop {
  const module = new WebAssembly.Module(assemble(shape, instructions));
  return new WebAssembly.Instance(module).exports as CompiledLoop;
}

/** The bytes of the module. */
function assemble(
  { arrays, numbers, blockSize }: LoopShape,
  instructions: readonly LoopInstruction[],
): Uint8Array {
  const values = instructions.filter((one) => 'to' in one).length;
  // The locals of the function: bytes, the numbers, the place in the arrays, then the values, and
  // what was noticed.
  const bytes = 0;
  const place = 1 + numbers;
  const get = (value: number): number[] => [opcodes.localGet, ...unsigned(place + 1 + value)];
  const set = (value: number): number[] => [opcodes.localSet, ...unsigned(place + 1 + value)];
  const vector = (opcode: number): number[] => [opcodes.vector, ...unsigned(opcode)];
  const noticed = values;
  const getPlace = [opcodes.localGet, ...unsigned(place)];
  /** Of an access at the place in an array: aligned to 2⁴ bytes, and the array's start. */
  const within = (array: number): number[] => [4, ...unsigned(array * blockSize * elementBytes)];

  const encode = (one: LoopInstruction): number[] => {
    switch (one.kind) {
      case 'load':
        return [...getPlace, ...vector(vectorOpcodes.load), ...within(one.array), ...set(one.to)];
      case 'store':
        return [
          ...getPlace,
          ...get(one.from),
          ...vector(vectorOpcodes.store),
          ...within(one.array),
        ];
      case 'number':
        return [
          ...[opcodes.localGet, ...unsigned(1 + one.parameter)],
          ...[...vector(vectorOpcodes.splat), ...set(one.to)],
        ];
      case 'constant':
        return [
          ...[opcodes.f32Const, ...new Uint8Array(Uint32Array.of(one.bits).buffer)],
          ...[...vector(vectorOpcodes.splat), ...set(one.to)],
        ];
      case 'operate':
        return [
          ...one.operands.flatMap(get),
          ...[...vector(operators[one.operator]), ...set(one.to)],
        ];
      case 'shift':
        return [
          ...[...get(one.operand), opcodes.i32Const, ...unsigned(one.by)],
          ...[...vector(vectorOpcodes.shiftLeft), ...set(one.to)],
        ];
      case 'notice':
        return [...get(noticed), ...get(one.from), ...vector(operators.Or), ...set(noticed)];
    }
  };
  const isFixed = ({ kind }: LoopInstruction): boolean => kind === 'number' || kind === 'constant';
  const code = [
    ...instructions.filter(isFixed).flatMap(encode),
    ...[opcodes.loop, types.none],
    ...instructions.filter((one) => !isFixed(one)).flatMap(encode),
    // place += 16; again while place < bytes.
    ...[...getPlace, opcodes.i32Const, vectorBytes, opcodes.i32Add],
    ...[opcodes.localTee, ...unsigned(place), opcodes.localGet, bytes, opcodes.i32Less],
    ...[opcodes.branchIf, 0, opcodes.end],
    ...[...get(noticed), ...vector(vectorOpcodes.anyTrue)],
    opcodes.end,
  ];
  const locals = list([
    [1, types.i32],
    [...unsigned(values + 1), types.v128],
  ]);
  const parameters = [[types.i32], ...Array.from({ length: numbers }, () => [types.f32])];
  const pages = Math.ceil((arrays * blockSize * elementBytes) / pageBytes);
  assert(blockSize % (vectorBytes / elementBytes) === 0, 'blocks hold whole vectors');
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(
      sections.type,
      list([[types.function, ...list(parameters), ...list([[types.i32]])]]),
    ),
    ...section(sections.function, list([[0]])),
    ...section(sections.memory, list([[0, ...unsigned(pages)]])),
    ...section(
      sections.export,
      list([
        [...name('memory'), 2, 0],
        [...name('run'), 0, 0],
      ]),
    ),
    ...section(sections.code, list([sized([...locals, ...code])])),
  ]);
}

/** The bits of a number as float32. */
export function float32Bits(value: number): number {
  return new DataView(Float32Array.of(value).buffer).getUint32(0, true);
}

/** LEB128. */
function unsigned(value: number): number[] {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [low | 0x80, ...unsigned(value >>> 7)];
}

function sized(bytes: readonly number[]): number[] {
  return [...unsigned(bytes.length), ...bytes];
}

function list(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...sized(content)];
}

function name(text: string): number[] {
  return sized([...new TextEncoder().encode(text)]);
}
