/**
 * The run folders of version 0.1.0 in `test/fixtures/runs`, and the workspace that the stopped one
 * was made in, where it can be resumed.
 */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runsFolder } from '../../src/runs/runFolder.js';
import { temporaryFolder, writeTinyModel, writeWorkspace } from './tinyModel.js';

export function oldRunFolder(name: 'cfs' | 'sft'): string {
  return fileURLToPath(new URL(`../fixtures/runs/${name}`, import.meta.url));
}

/** What the configuration of `sft` says beside the fields of every tiny workspace. */
export const oldSftFields = {
  name: 'old sft',
  method: 'sft',
  generation: { count: undefined },
  training: { checkpointEvery: 50 },
  evaluation: { klSamples: 0 },
};

/** Small enough for a checkpoint in a repository: 4,548 parameters. */
export const oldSftShape = {
  hidden_size: 4,
  intermediate_size: 8,
  num_attention_heads: 2,
  num_key_value_heads: 1,
};

/** A copy of the stopped run `sft` in a workspace with its model and data; returns its folder. */
export function oldRunToResume(): string {
  const workspace = writeWorkspace(temporaryFolder(), oldSftFields);
  writeTinyModel(join(workspace, 'model'), oldSftShape);
  const folder = join(runsFolder(workspace), 'sft');
  cpSync(oldRunFolder('sft'), folder, { recursive: true });
  return folder;
}
