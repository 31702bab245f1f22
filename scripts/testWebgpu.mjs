// Runs the numeric tests on WebGPU: on a real GPU where there is one, else on SwiftShader, the
// software Vulkan device that Debian's `chromium` package ships. Says by name what is missing.
import { spawnSync } from 'node:child_process';
import console from 'node:console';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const tests = [
  'test/gradients',
  'test/contract',
  'test/parity',
  'test/unit/trainer',
  'test/unit/runtime',
];
const probe = `
  import * as ort from 'onnxruntime-node';
  import { encodeIdentity } from './src/graph/wholeTensor.ts';
  await ort.InferenceSession.create(encodeIdentity(), { executionProviders: ['webgpu'] });
`;

const env = { ...process.env, CFS_TEST_PROVIDER: 'webgpu' };
if (!works()) {
  const swiftShader = ['chromium', 'chromium-browser']
    .map((name) => `/usr/lib/${name}/vk_swiftshader_icd.json`)
    .find((file) => existsSync(file));
  if (!swiftShader) skip("neither a GPU nor SwiftShader (Debian's package chromium)");
  env.VK_ICD_FILENAMES = swiftShader;
  if (!works()) skip(`a Vulkan device: WebGPU does not start on ${swiftShader}`);
}
console.log(`WebGPU on ${env.VK_ICD_FILENAMES ?? 'the GPU of this machine'}`);
const args = ['vitest', 'run', ...(process.argv.length > 2 ? process.argv.slice(2) : tests)];
process.exit(spawnSync('npx', args, { cwd: root, env, stdio: 'inherit' }).status ?? 1);

function works() {
  const flags = ['--import', 'tsx', '--input-type=module', '--eval', probe];
  return spawnSync(process.execPath, flags, { cwd: root, env, stdio: 'ignore' }).status === 0;
}

function skip(missing) {
  console.log(`skipped: the tests on WebGPU; missing: ${missing}`);
  // CI installs what is needed, so there a skip is a failure.
  process.exit(process.env.CI ? 1 : 0);
}
