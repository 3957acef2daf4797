// Journeys against a real OpenStack: `make test-openstack` brings the lab up and starts them.
import base from '../playwright.config.ts';

export default {
  ...base,
  testDir: 'journeys',
  // The town of these journeys is on its first day: nothing is loaded for it.
  globalSetup: undefined,
  outputDir: '../test-results/openstack',
  timeout: 300_000,
  projects: base.projects?.filter((one) => one.name === 'desktop'),
};
