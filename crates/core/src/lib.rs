//! Storage, services, jobs and sagas. Native only.
