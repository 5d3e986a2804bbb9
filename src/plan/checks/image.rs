//! The images are there.

use std::collections::BTreeMap;

use super::{Case, refuse};
use crate::event::Refusal;
use crate::event::refusal::ImagesRefused;
use crate::plan::Digest;
use crate::request::image::ImageRef;

/// An image of the definition that is deployed is not there, whether this deployment changes it or not.
pub(in crate::plan) fn images_exist(case: &Case<'_>) -> Result<(), Refusal> {
    let Case { request, survey, wanted, digests } = case;
    missing_images(&wanted.images, digests)?;
    // Where nothing is deployed, that is a way back that is gone. Beside a new image, one that stays may be a copy that
    // ECR fetches again (pull through cache): that is warned of.
    let deploys = !request.edits.is_empty() || request.restart;
    if !request.changes.is_empty() || !deploys {
        return Ok(());
    }
    let stays = |(container, (image, digest)): (&String, &(ImageRef, Digest))| {
        let own = wanted.base.containers.iter().find(|(name, _)| name == container);
        let same = own.is_some_and(|(_, own)| *own == image.to_string());
        let stays = same && !wanted.images.contains_key(container);
        stays.then(|| ((container.clone(), image.clone()), (container.clone(), digest.clone())))
    };
    let (images, digests) = survey.way_back.iter().filter_map(stays).unzip();
    missing_images(&images, &digests)
}

/// The first image that is not there.
pub(in crate::plan) fn missing_images(
    images: &BTreeMap<String, ImageRef>,
    digests: &BTreeMap<String, Digest>,
) -> Result<(), Refusal> {
    for (container, image) in images {
        let (why, has_repository) = match digests.get(container) {
            Some(Digest::Missing(why)) => (why, true),
            Some(Digest::NoRepository(why)) => (why, false),
            _ => continue,
        };
        if let Some(ecr) = image.ecr() {
            return refuse(ImagesRefused::ImageUnusable {
                image: image.to_string(),
                container: container.clone(),
                reason: why.clone(),
                account: ecr.account,
                region: ecr.region,
                repository: ecr.name,
                has_repository,
            });
        }
    }
    Ok(())
}
