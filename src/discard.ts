/**
 * Gives the memory of arrays back at once. ONNX Runtime's Node binding returns every output in an
 * array of its own, also where it was written to a given one; left to the garbage collector, several
 * copies of all gradients would wait for it.
 */
import { MessageChannel } from 'node:worker_threads';

const { port1: nowhere } = new MessageChannel();
nowhere.close();

/** The array, which must be all of its buffer, has no elements afterwards. */
export function discard({ buffer }: Float32Array | Buffer): void {
  // What is moved to a closed port is freed there. `ArrayBuffer.prototype.transfer` needs Node 22.
  if (buffer instanceof ArrayBuffer) nowhere.postMessage(null, [buffer]);
}
