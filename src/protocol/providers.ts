/**
 * The execution providers by name, in one place: `run.yaml`, the settings, the runtime and the pages
 * all read this list.
 */

export const providerNames = ['cpu', 'webgpu', 'cuda', 'dml', 'coreml'] as const;
export type ProviderName = (typeof providerNames)[number];

/** What may be asked for; `auto` takes the fastest that computes right. */
export const providerChoices = ['auto', ...providerNames] as const;
export type ProviderChoice = (typeof providerChoices)[number];
