/**
 * The preview process: looks at models, datasets and samples for the editor without running anything. It is a
 * process of its own, because reading a dataset would hold up the editor, and it ends with the
 * editor, because nothing in it is worth keeping, also in the middle of a long computation.
 */
import { formatError, type CfsError } from '../../errors.js';
import { previewContract, previewHostContract } from '../../protocol/preview.js';
import { createRpc } from '../../protocol/rpc.js';
import { watchParent } from '../../watchParent.js';
import { createHandlers } from './handlers.js';

watchParent(0);
process.on('disconnect', () => process.exit());
// Ctrl-C in the terminal that started the editor reaches this process too; the editor decides.
process.on('SIGINT', () => undefined);

const rpc = createRpc({
  endpoint: {
    post: (message) => {
      // The host may go away at any moment: `disconnect` tells, so an error here says nothing new.
      if (process.connected) process.send?.(message, undefined, {}, () => undefined);
    },
    listen: (receive) => {
      process.on('message', receive);
      return () => process.off('message', receive);
    },
  },
  mine: previewContract,
  theirs: previewHostContract,
  handlers: createHandlers({
    reading: (progress) => rpc.tell('reading', progress),
    samples: (told) => rpc.tell('samples', told),
    problem: complain,
  }),
  listeners: {},
  onProblem: complain,
});

/** Into the editor's log. */
function complain(problem: CfsError): void {
  process.stderr.write(`${formatError(problem)}\n`);
}
