/** The commands by name: `package.json` contributes exactly these, and a test holds that. */
export const commandIds = [
  'cfs.fineTune',
  'cfs.fineTuneFile',
  'cfs.selectModel',
  'cfs.generateSamples',
  'cfs.inspectSamples',
  'cfs.configureMix',
  'cfs.configureFromRun',
  'cfs.showCurves',
  'cfs.compareRuns',
  'cfs.stopRun',
  'cfs.resumeRun',
  'cfs.revealRun',
  'cfs.openReport',
  'cfs.deleteRun',
  'cfs.checkEnvironment',
  'cfs.openDemo',
] as const;
export type CommandId = (typeof commandIds)[number];
