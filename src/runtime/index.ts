/** What the rest of the program uses of the runtime room. */
export * from './discard.js';
export * from './providers.js';
export * from './session.js';
export * from './choose.js';
