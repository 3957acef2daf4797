//! Something that measures, in the hands of a test.
#![expect(
    clippy::unwrap_used,
    reason = "a test that can't be set up should stop at once"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use lingbao_backends::{
    provisioning::Finding,
    usage::{Readings, SourceError, UsageSource},
};
use lingbao_model::{
    time::{Date, Timestamp, Zone},
    usage::{Measure, Reading, SAMPLES_A_DAY},
};

use super::Metering;

/// What a day says of a measure: readings by server, or an error.
type Days = BTreeMap<(Date, Measure), BTreeMap<String, Reading>>;

/// A source that says what it is told to say.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    days: Arc<Mutex<Days>>,
    failing: Arc<Mutex<Option<(Measure, SourceError)>>>,
    failing_days: Arc<Mutex<BTreeMap<Date, SourceError>>>,
    asked: Arc<Mutex<Vec<(Date, Measure)>>>,
    digest: String,
}

impl Measured {
    /// One that knows nothing yet; the same digest asks for no day twice.
    #[must_use]
    pub fn called(digest: &str) -> Self {
        Self {
            digest: digest.to_owned(),
            ..Self::default()
        }
    }

    /// The same days told under another digest: the queries were changed.
    #[must_use]
    pub fn mended(&self, digest: &str) -> Self {
        Self {
            digest: digest.to_owned(),
            ..self.clone()
        }
    }

    /// Says a mean (and a peak 50 ‰ above it) of whole days of a server, the last of which is `last`.
    pub fn say(&self, server: &str, measure: Measure, (last, days): (Date, i64), mean: i64) {
        for back in 0..days {
            let reading = Reading {
                mean,
                peak: mean + 50,
                samples: SAMPLES_A_DAY,
            };
            self.say_day(server, measure, last.plus_days(-back), reading);
        }
    }

    /// Says one day of a server.
    pub fn say_day(&self, server: &str, measure: Measure, day: Date, reading: Reading) {
        let mut days = self.days.lock().unwrap();
        let of = days.entry((day, measure)).or_default();
        of.insert(server.to_owned(), reading);
    }

    /// Fails whenever this measure is asked for, until told otherwise.
    pub fn fail(&self, failing: Option<(Measure, SourceError)>) {
        *self.failing.lock().unwrap() = failing;
    }

    /// Fails whenever this day is asked for.
    pub fn fail_day(&self, day: Date, error: SourceError) {
        self.failing_days.lock().unwrap().insert(day, error);
    }

    /// What was asked since the last time, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<(Date, Measure)> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }

    /// As the configuration would have it.
    #[must_use]
    pub fn metering(&self, catch_up_days: i64, keep_days: i64) -> Metering {
        Metering {
            source: Arc::new(self.clone()),
            catch_up_days,
            keep_days,
        }
    }
}

#[async_trait]
impl UsageSource for Measured {
    fn digest(&self) -> &str {
        &self.digest
    }

    fn measures(&self) -> Vec<Measure> {
        vec![Measure::Cpu, Measure::Memory]
    }

    async fn read(
        &self,
        measure: Measure,
        from: Timestamp,
        _: Timestamp,
    ) -> Result<Readings, SourceError> {
        let day = Zone::SHANGHAI.date(from);
        self.asked.lock().unwrap().push((day, measure));
        if let Some((of, error)) = &*self.failing.lock().unwrap()
            && *of == measure
        {
            return Err(error.clone());
        }
        if let Some(error) = self.failing_days.lock().unwrap().get(&day) {
            return Err(error.clone());
        }
        let days = self.days.lock().unwrap();
        Ok(Readings {
            servers: days.get(&(day, measure)).cloned().unwrap_or_default(),
            odd: 0,
        })
    }

    async fn servers(&self, _: Timestamp) -> Result<BTreeSet<String>, SourceError> {
        let days = self.days.lock().unwrap();
        Ok(days.values().flat_map(|of| of.keys().cloned()).collect())
    }

    async fn check(&self, _: Timestamp) -> Vec<Finding> {
        Vec::new()
    }
}
