// Journeys against a real OpenStack: `make test-openstack` brings the lab up and starts them.
import base from '../playwright.config.ts';

export default {
  ...base,
  testDir: 'journeys',
  // The town of these journeys is on its first day: nothing is loaded for it.
  globalSetup: undefined,
  outputDir: '../test-results-openstack',
  timeout: 300_000,
  // Figures take half an hour: scripts/ratios openstack asks for them.
  grepInvert: process.env.LINGBAO_FIGURES ? undefined : /@figures/,
  projects: base.projects?.filter((one) => one.name === 'desktop'),
};
