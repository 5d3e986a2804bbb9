//! Image tags become digests once for a deployment: its first task finds out, the others run the same
//! (`versionConsistency`).

use crate::{
    image::Reference,
    state::{
        Here,
        ecs::{Container, Revision, Task},
    },
};

/// The revision whose images the tasks of a deployment run, and whether it is still being deployed.
fn revision_at<'h>(here: &'h Here<'_>, task: &Task) -> Option<(&'h Revision, bool)> {
    let service = here.region.ecs.services.get(task.service.as_ref()?)?;
    let by = task.started_by.as_ref()?;
    let deployment = service.deployments.iter().find(|one| one.id == *by)?;
    let revision = service.revisions.iter().find(|one| one.arn == deployment.revision)?;
    Some((revision, deployment.rollout_state == "IN_PROGRESS"))
}

/// The image by the digest that the first task of the deployment found for its tag (Amazon ECS Developer
/// Guide, "Container image resolution").
pub(super) fn pinned(here: &Here<'_>, task: &Task, container: &Container) -> Option<String> {
    if !container.pinned {
        return None;
    }
    let (revision, _) = revision_at(here, task)?;
    let own = revision.images.iter().find(|(name, ..)| *name == container.name)?;
    let name = Reference::parse(&container.image).name;
    own.2.as_ref().map(|digest| format!("{name}@{digest}"))
}

/// The first task of a deployment has pulled its images: the others run the same. A deployment of no
/// tasks pins nothing, and what is scaled up later resolves tags anew.
pub(super) fn pin(here: &mut Here<'_>, arn: &str) {
    let Some(task) = here.region.ecs.tasks.get(arn) else { return };
    let Some((revision, true)) = revision_at(here, task) else { return };
    if revision.images.iter().any(|(.., digest)| digest.is_some()) {
        return;
    }
    let wanted = revision.arn.clone();
    let digests: Vec<(String, String)> = task
        .containers
        .iter()
        .filter(|one| one.pinned)
        .filter_map(|one| Some((one.name.clone(), one.digest.clone()?)))
        .collect();
    let service = task.service.clone().and_then(|arn| here.region.ecs.services.get_mut(&arn));
    let own = service.and_then(|own| own.revisions.iter_mut().find(|one| one.arn == wanted));
    for (name, _, digest) in own.into_iter().flat_map(|own| &mut own.images) {
        *digest = digests.iter().find(|(own, _)| own == name).map(|(_, digest)| digest.clone());
    }
}
