/**
 * A process that never comes back to its event loop: it watches its parent, says so, and spins. Its
 * arguments are its patience in milliseconds and, perhaps, another that it changes to.
 */
import { watchParent } from '../../src/watchParent.js';

const [patience, changed] = process.argv.slice(2).map(Number);
const allow = watchParent(patience ?? 0);
if (changed !== undefined) allow(changed);
process.send?.(process.pid, () => {
  for (;;);
});
