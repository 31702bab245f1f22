/** “Check Environment” as a page to read. */
import { describe, expect, it } from 'vitest';
import { describeEnvironment } from '../../../src/host/environmentReport.js';
import type { DoctorReport } from '../../../src/protocol/providers.js';

const report: DoctorReport = {
  versions: { 'CFS Studio': '0.1.0', 'ONNX Runtime': '1.30.0' },
  system: { platform: 'linux x64', cpu: 'A | B', cores: 8, memory: 2 ** 34, freeMemory: 2 ** 33 },
  providers: [
    { name: 'cpu', works: true, chosen: true, milliseconds: 12.34 },
    {
      name: 'webgpu',
      works: false,
      chosen: false,
      reason: 'No <adapter>\nfound',
      remedy: 'Install a driver.',
    },
  ],
};

describe('describeEnvironment', () => {
  const text = describeEnvironment(report);

  it('says first whether the machine can train, and on what', () => {
    expect(text).toContain('**This machine can train.** It will run on the processor (`cpu`).');
    expect(text).toContain('| `cpu` | the processor | yes, chosen | 12.3 ms |');
  });

  it('says of what does not work why, and what to do', () => {
    expect(text).toContain('- `webgpu`: No \\<adapter\\> found. Install a driver.');
  });

  it('keeps the table whole whatever a name holds', () => {
    expect(text).toContain('| Processor | A \\| B, 8 cores |');
    expect(text).toContain('| Memory | 16 GiB, 8 GiB of it free |');
  });

  it('says when nothing works', () => {
    const providers = [{ name: 'cpu' as const, works: false, chosen: false }];
    const broken = describeEnvironment({ ...report, providers });
    expect(broken).toContain('**This machine cannot train yet.**');
    expect(broken).toContain('- `cpu`: does not work here.');
  });

  it('needs no advice when everything works', () => {
    const providers = report.providers.filter(({ works }) => works);
    expect(describeEnvironment({ ...report, providers })).not.toContain('What does not work');
  });
});
