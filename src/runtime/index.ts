/** What the rest of the program uses of the runtime room. */
export * from './providers.js';
export * from './session.js';
export * from './choose.js';
