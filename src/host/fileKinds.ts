/** What a file or folder is, told by names alone: whether it may be a dataset or a model. */
import { basename } from 'node:path';

/** JSON files that belong to a project or a model, and never hold rows. */
const otherJson = [
  /^(package|package-lock|jsconfig|tsconfig.*|settings|launch|tasks|extensions)\.json$/,
  /^\./,
  /^(.*_)?config\.json$/,
  /^(tokenizer|vocab|special_tokens_map|added_tokens)\.json$/,
  /\.index\.json$/,
];

/** By its name, a file that may hold rows. */
export function isDatasetFile(path: string): boolean {
  const name = basename(path);
  if (/\.(jsonl|csv)$/i.test(name)) return true;
  return /\.json$/i.test(name) && !otherJson.some((pattern) => pattern.test(name));
}

/** By the names in it, a folder as Hugging Face has them. */
export function isModelFolder(names: readonly string[]): boolean {
  return names.includes('config.json') && names.some((name) => name.endsWith('.safetensors'));
}
