//! What became of an operation: its object, wherever it stands.
use super::{
    OpenStack, Token, addresses, backups,
    fault::{Answer, Fault, Flow, Stop},
    networks, restores, snapshots, volumes,
};
use crate::provisioning::{
    Kind, Object, OperationId, OperationState, Refusal, RefusalReason, Settled,
};

impl OpenStack {
    /// The object of an operation, of whatever kind it is.
    async fn made(&self, op: &OperationId) -> Answer<Option<Object>> {
        let cloud = &self.cloud;
        if let Some(made) = self.memory.what(op) {
            return self.made_of_kind(op, made.kind).await;
        }
        let (server, volume, address) = tokio::join!(
            cloud.server_of(op, None),
            cloud.volume_or_restored(op),
            cloud.address_of(op)
        );
        if let Some(it) = server? {
            return Ok(Some(cloud.for_maker(&it)));
        }
        if let Some(it) = volume? {
            return Ok(Some(Object::Volume(volumes::volume(&it))));
        }
        if let Some(it) = address? {
            return Ok(Some(Object::Address(addresses::address(&it))));
        }
        for kind in [
            Kind::Network,
            Kind::Project,
            Kind::Snapshot,
            Kind::BackupPlan,
            Kind::Backup,
        ] {
            if let Some(it) = self.made_of_kind(op, kind).await? {
                return Ok(Some(it));
            }
        }
        Ok(None)
    }

    async fn made_of_kind(&self, op: &OperationId, kind: Kind) -> Answer<Option<Object>> {
        let cloud = &self.cloud;
        Ok(match kind {
            Kind::Project => cloud.project_of(op).await?,
            // Another operation may have made the network that this one was given.
            Kind::Network => match self.memory.what(op) {
                Some(made) => cloud.network_value(&made.id).await?,
                None => cloud.networks_of(op).await?.into_iter().next(),
            }
            .as_ref()
            .map(networks::network),
            Kind::Server => cloud
                .server_of(op, None)
                .await?
                .map(|it| cloud.for_maker(&it)),
            Kind::Volume => cloud
                .volume_or_restored(op)
                .await?
                .map(|it| Object::Volume(volumes::volume(&it))),
            Kind::Address => cloud
                .address_of(op)
                .await?
                .map(|it| Object::Address(addresses::address(&it))),
            Kind::Snapshot => {
                let found = cloud.snapshot_of(op).await?;
                found.map(|it| Object::Snapshot(snapshots::snapshot(&it)))
            }
            Kind::Backup => {
                let found = cloud.backup_of(op).await?;
                found.map(|it| Object::Backup(backups::backup(&it)))
            }
            Kind::BackupPlan => cloud.plan_of(op).await?.map(Object::BackupPlan),
        })
    }

    /// How the making of something stands; `None` if nothing of it is there.
    pub(super) async fn making(&self, op: &OperationId, kind: Kind) -> Flow<Option<Settled>> {
        let cloud = &self.cloud;
        match kind {
            Kind::Server => {
                if let Some(made) = self.memory.what(op)
                    && let Some(stop) = cloud.still_building(&made.id, None).await
                {
                    return Err(stop);
                }
                match cloud.newest_of(&self.memory, op).await? {
                    Some(it) => cloud.built(&self.memory, &it).await.map(Some),
                    None => Ok(None),
                }
            }
            Kind::Volume => match cloud.volume_or_restored(op).await? {
                Some(it) if restores::restored_by(&it).is_some() => Err(cloud.restored_so_far(&it)),
                Some(it) => cloud.volume_built(&self.memory, &it).await.map(Some),
                None => Ok(None),
            },
            Kind::Snapshot => match cloud.snapshot_of(op).await? {
                Some(it) => cloud.snapshot_built(&it).map(Some),
                None => Ok(None),
            },
            Kind::Backup => match cloud.backup_of(op).await? {
                Some(it) => cloud.backup_built(&it).map(Some),
                None => Ok(None),
            },
            kind => {
                let there = self.made_of_kind(op, kind).await?;
                Ok(there.map(|it| Settled::Present(Box::new(it))))
            }
        }
    }

    pub(super) async fn state(&self, op: &OperationId) -> Answer<OperationState> {
        let there = self.made(op).await?;
        if self.memory.is_cancelled(op) {
            let own = there.filter(|it| it.operation() == op);
            return Ok(OperationState::Cancelled {
                left: own.map(Box::new),
            });
        }
        let Some(object) = there else {
            return Ok(match self.memory.what(op) {
                Some(_) => OperationState::Done(Settled::Gone),
                None => OperationState::Never,
            });
        };
        if let Object::Address(address) = &object
            && !addresses::is_whole(address)
        {
            // Who goes on under the operation finishes it; who has taken it back finds it to delete.
            let said = "its pool and bandwidth were never written to it";
            return Ok(OperationState::Failed {
                refusal: Refusal::new(RefusalReason::Conflict, said),
                left: Some(address.id.clone()),
            });
        }
        let kind = object.kind();
        Ok(match self.making(op, kind).await {
            Ok(Some(settled)) => OperationState::Done(settled),
            Ok(None) => OperationState::Done(Settled::Gone),
            Err(Stop::Running(retry_after_ms)) => OperationState::Running {
                poll: Token::Made {
                    op: op.clone(),
                    kind,
                }
                .text(),
                retry_after_ms,
            },
            Err(Stop::Fault(Fault::Refused(refusal))) => OperationState::Failed {
                refusal,
                left: Some(object.id().clone()),
            },
            Err(Stop::Fault(fault)) => return Err(fault),
        })
    }
}
