/** The search for a Vulkan driver, on made-up folder trees of machines that hide theirs. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findDrivers, foldersOf, type DriverCandidate } from '../../../scripts/gpu/vulkan.js';
import { temporaryFolder } from '../../support/tinyModel.js';

/** A driver as far as the search can tell. */
const driver = '\u007fELF … vk_icdGetInstanceProcAddr …';
const icd = (library: string): string =>
  JSON.stringify({ file_format_version: '1.0.1', ICD: { library_path: library } });
const layer = JSON.stringify({
  layer: { name: 'VK_LAYER_NV_optimus', library_path: 'libGLX_nvidia.so.0' },
});

function search(files: Record<string, string>, environment: NodeJS.ProcessEnv = {}) {
  const root = temporaryFolder();
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  const found = findDrivers({ root, environment, folder: join(root, 'own') });
  const short = (path: string | undefined): string | undefined => path?.replace(root, '');
  const library = ({ manifest }: DriverCandidate): unknown =>
    (JSON.parse(readFileSync(manifest ?? '', 'utf8')) as { ICD: { library_path: string } }).ICD
      .library_path;
  return {
    found,
    manifests: found.map(({ manifest }) => short(manifest)),
    libraries: found.map(({ library }) => short(library)),
    /** What the first one's manifest names. */
    named: () => short(String(library(found[0] as DriverCandidate))),
    folders: found.map((candidate) => foldersOf(candidate).map(short)),
  };
}

describe('the search for a Vulkan driver', () => {
  it.each([
    '/etc/vulkan/icd.d/nvidia_icd.json',
    '/usr/share/vulkan/icd.d/nvidia_icd.x86_64.json',
    '/usr/local/nvidia/share/vulkan/icd.d/nvidia_icd.json',
    '/usr/share/vulkan/implicit_layer.d/nvidia_icd.json',
    '/opt/driver/580/vulkan/icd.d/nvidia_icd.json',
  ])('finds the manifest %s, and the folder of the library it names', (path) => {
    const library = '/usr/local/nvidia/lib64/libGLX_nvidia.so.0';
    const { manifests, folders } = search({ [path]: icd('libGLX_nvidia.so.0'), [library]: driver });
    expect(manifests[0]).toBe(path);
    expect(folders[0]).toEqual(['/usr/local/nvidia/lib64']);
    // The next is tried where that one does not work, and the loader's own search at the end.
    expect(manifests).toEqual([path, '/own/0-libGLX_nvidia.so.0.json', undefined]);
  });

  it('writes a manifest for a library that has none, and takes no layer for a driver', () => {
    const { manifests, named } = search({
      '/usr/share/vulkan/implicit_layer.d/nvidia_layers.json': layer,
      '/usr/lib64/nvidia/libGLX_nvidia.so.0': driver,
    });
    expect(manifests).toEqual(['/own/0-libGLX_nvidia.so.0.json', undefined]);
    expect(named()).toBe('/usr/lib64/nvidia/libGLX_nvidia.so.0');
  });

  it('tries libraries by how likely they are, links or none', () => {
    const { libraries } = search({
      '/opt/a/libnvidia-glcore.so.580.1': driver,
      '/opt/a/libnvidia-ml.so.1': 'no driver',
      '/opt/b/libEGL_nvidia.so.580.1': driver,
      '/opt/b/libGLX_nvidia.so.580.1': driver,
      '/opt/c/libEGL_nvidia.so.0': driver,
    });
    expect(libraries).toEqual([
      '/opt/c/libEGL_nvidia.so.0',
      '/opt/b/libGLX_nvidia.so.580.1',
      '/opt/b/libEGL_nvidia.so.580.1',
      '/opt/a/libnvidia-glcore.so.580.1',
      undefined,
    ]);
  });

  it('tries the drivers of others after NVIDIA’s', () => {
    const { manifests } = search({
      '/usr/share/vulkan/icd.d/lvp_icd.json': icd('/usr/lib/libvulkan_lvp.so'),
      '/usr/share/vulkan/icd.d/nvidia_icd.json': icd('libGLX_nvidia.so.0'),
      '/usr/share/vulkan/icd.d/broken.json': '{',
    });
    expect(manifests).toEqual([
      '/usr/share/vulkan/icd.d/nvidia_icd.json',
      '/usr/share/vulkan/icd.d/lvp_icd.json',
      undefined,
    ]);
  });

  it('takes what the environment says, and on a bare machine leaves it to the loader', () => {
    const set = { VK_ICD_FILENAMES: '/somewhere/icd.json' };
    expect(search({ '/usr/lib/libGLX_nvidia.so.0': driver }, set).manifests).toEqual([
      '/somewhere/icd.json',
    ]);
    expect(search({}).manifests).toEqual([undefined]);
  });
});
