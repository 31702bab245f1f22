/** What the processes that we start find in their environment. */
import { expect, it } from 'vitest';
import { childEnvironment } from '../../src/childEnvironment.js';
import { plantedSecrets } from '../support/secrets.js';

it('has no variable with the name of a secret, and all others', () => {
  const others = {
    PATH: '/bin',
    HOME: '/home/me',
    CFS_DEBUG: '1',
    NODE_OPTIONS: '--trace-warnings',
  };
  expect(childEnvironment({ ...plantedSecrets, ...others, OpenAI_Api_Key: 'x' })).toEqual({
    ...others,
    ...(process.platform === 'linux' && {
      GLIBC_TUNABLES: expect.stringContaining('mmap_max') as string,
    }),
  });
});
