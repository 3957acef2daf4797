//! What keeps copies of data: backup plans, backups and snapshots.
use super::{
    act::{Deciding, Decision, check, no, put},
    state::Record,
};
use crate::provisioning::{
    BackedUp, Backup, BackupPlan, BackupPlanSpec, BackupSpec, ExternalId, Kind, Object,
    RefusalReason, Snapshot, SnapshotSpec, VolumeSpec,
};

impl Deciding<'_> {
    pub(super) fn create_plan(&self, spec: BackupPlanSpec) -> Decision {
        let id = self.new_id(Kind::BackupPlan)?;
        check(
            spec.every_hours > 0 && spec.keep_days > 0,
            RefusalReason::InvalidSpec,
            "never, or kept for no time",
        )?;
        match self.state.record(&spec.target).map(|r| &r.object) {
            Some(it @ (Object::Server(_) | Object::Volume(_))) if *it.project() == spec.project => {
            }
            _ => return no(RefusalReason::NotFound, "nothing to back up"),
        }
        put(Record::quiet(Object::BackupPlan(BackupPlan {
            id,
            spec,
            operation: self.op.clone(),
        })))
    }

    pub(super) fn change_plan(
        &self,
        id: &ExternalId,
        every_hours: u32,
        keep_days: u32,
    ) -> Decision {
        let Object::BackupPlan(mut plan) = self.object(id, Kind::BackupPlan)?.object.clone() else {
            return no(RefusalReason::NotFound, id.as_str());
        };
        check(
            every_hours > 0 && keep_days > 0,
            RefusalReason::InvalidSpec,
            "never, or kept for no time",
        )?;
        (plan.spec.every_hours, plan.spec.keep_days) = (every_hours, keep_days);
        put(Record::quiet(Object::BackupPlan(plan)))
    }

    /// A plan here does nothing by itself, as in most clouds: its backups are asked for one by one.
    pub(super) fn create_backup(&self, spec: BackupSpec) -> Decision {
        let id = self.new_id(Kind::Backup)?;
        let (wanted, kind) = match &spec.of {
            BackedUp::SystemDisk(server) => (server, Kind::Server),
            BackedUp::Volume(volume) => (volume, Kind::Volume),
        };
        let there = &self.object(wanted, kind)?.object;
        check(
            *there.project() == spec.project,
            RefusalReason::InvalidSpec,
            "the disk is another project's",
        )?;
        let size_gb = match there {
            Object::Server(server) => server.spec.system_disk_gb,
            Object::Volume(volume) => volume.spec.size_gb,
            _ => 0,
        };
        put(Record::quiet(Object::Backup(Backup {
            id,
            spec,
            size_gb,
            operation: self.op.clone(),
        })))
    }

    pub(super) fn create_snapshot(&self, spec: SnapshotSpec) -> Decision {
        let id = self.new_id(Kind::Snapshot)?;
        let volume = self.volume(&spec.volume)?;
        check(
            volume.spec.project == spec.project,
            RefusalReason::InvalidSpec,
            "the volume is another project's",
        )?;
        put(Record::quiet(Object::Snapshot(Snapshot {
            id,
            spec,
            size_gb: volume.spec.size_gb,
            operation: self.op.clone(),
        })))
    }

    pub(super) fn restore(&self, id: &ExternalId, spec: VolumeSpec) -> Decision {
        let Object::Snapshot(snapshot) = &self.object(id, Kind::Snapshot)?.object else {
            return no(RefusalReason::NotFound, id.as_str());
        };
        check(
            snapshot.spec.project == spec.project && snapshot.size_gb <= spec.size_gb,
            RefusalReason::InvalidSpec,
            "the snapshot is another project's, or larger",
        )?;
        self.create_volume(spec)
    }

    pub(super) fn restore_backup(&self, id: &ExternalId, spec: VolumeSpec) -> Decision {
        let Object::Backup(backup) = &self.object(id, Kind::Backup)?.object else {
            return no(RefusalReason::NotFound, id.as_str());
        };
        check(
            backup.spec.project == spec.project && backup.size_gb <= spec.size_gb,
            RefusalReason::InvalidSpec,
            "the backup is another project's, or larger",
        )?;
        self.create_volume(spec)
    }
}
