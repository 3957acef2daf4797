// Journeys against a real OpenStack: `make test-openstack` brings the lab up and starts them.
import base from '../playwright.config.ts';

export default {
  ...base,
  testDir: 'journeys',
  // The town of these journeys is on its first day: nothing is loaded for it.
  globalSetup: undefined,
  outputDir: '../test-results-openstack',
  timeout: 300_000,
  // Figures take half an hour: scripts/ratios openstack asks for them. CI has ninety minutes for all it does,
  // and leaves out the three journeys that wait longest for a cloud that is away.
  grepInvert: process.env.LINGBAO_FIGURES ? undefined : process.env.CI ? /@figures|@long/ : /@figures/,
  projects: base.projects?.filter((one) => one.name === 'desktop'),
};
