//! Images that are not there, or that are for no container.

use crate::event::refusal::ImagesRefused;
use crate::request::image::ImageRef;
use crate::request::misfit::{ContainerImage, ImageMisfit};

pub(super) fn what(refusal: &ImagesRefused) -> String {
    use ImagesRefused as R;
    match refusal {
        R::ImageUnusable { image, container, reason, .. } => {
            format!("image {image} for container {container} cannot be used: {reason}")
        }
        R::NotAnImage { revision, container, image } => {
            // What the parser takes is said beside it.
            let why = image.parse::<ImageRef>().err().unwrap_or_default();
            format!("{revision}, container {container}: {why}")
        }
        R::Placeholder { revision, container, image } => {
            format!("{revision}, container {container}: the image `{image}` is a placeholder")
        }
        R::NoRepository { repository, account, region } => {
            format!("there is no repository {repository} of {account} in {region}")
        }
    }
}

pub(super) fn fix(refusal: &ImagesRefused) -> String {
    use ImagesRefused as R;
    match refusal {
        R::ImageUnusable { account, region, has_repository: false, .. } => format!(
            "aws ecr describe-repositories --registry-id {account} --region {region} --query \
             'repositories[].repositoryName'"
        ),
        R::ImageUnusable { account, region, repository, .. } => format!(
            "aws ecr list-images --registry-id {account} --region {region} --repository-name {repository}"
        ),
        R::NotAnImage { container, .. } | R::Placeholder { container, .. } => {
            format!("--image {container}=REPOSITORY:TAG")
        }
        R::NoRepository { repository, account, region } => format!(
            "aws ecr create-repository --registry-id {account} --region {region} --repository-name {repository}"
        ),
    }
}

pub(super) fn misfit(misfit: &ImageMisfit) -> String {
    use ImageMisfit as M;
    match misfit {
        M::TwoImages { container, images: [one, other] } => {
            format!("container `{container}` is given two images, `{one}` and `{other}`")
        }
        M::ImageForNoContainer { container, containers, .. } => format!(
            "the task definition has no container `{container}`; it has {}",
            list(containers)
        ),
        M::RepositoryOfNoContainer { repository, containers, .. } => format!(
            "no container of the task definition uses the repository `{repository}`; it has {}",
            list(containers)
        ),
        M::RepositoryOfSeveral { repository, of, containers, .. } => {
            format!(
                "{} containers use the repository `{repository}`: {}",
                of.len(),
                list(containers)
            )
        }
        M::AmbiguousRepository { name, containers, .. } => {
            format!("`{name}` names more than one repository: {}", list(containers))
        }
        M::SeveralRepositories { containers, .. } => {
            format!("the task definition uses more than one repository: {}", list(containers))
        }
    }
}

pub(super) fn misfit_fix(misfit: &ImageMisfit) -> String {
    use ImageMisfit as M;
    let tagged = |repository: &Option<String>, tag: &str| {
        format!("--tag {}={tag}", repository.as_deref().unwrap_or("REPOSITORY"))
    };
    match misfit {
        M::TwoImages { .. } => "give each container one --image or --tag".to_owned(),
        M::ImageForNoContainer { image, containers, .. } => {
            let first = containers.first().map_or("CONTAINER", |one| &one.container);
            format!("--image {first}={image}")
        }
        M::RepositoryOfNoContainer { image, meant, tag, .. } => match (image, tag) {
            // The same name in another registry: its registry was left out, more often than not.
            (_, Some(tag)) => tagged(meant, tag),
            (Some(image), None) => {
                format!("name the container whose image is replaced: --image CONTAINER={image}")
            }
            (None, None) => "give the image of one of these repositories".to_owned(),
        },
        M::RepositoryOfSeveral { image, of, .. } => {
            let options: Vec<String> =
                of.iter().map(|name| format!("--image {name}={image}")).collect();
            options.join(" ")
        }
        M::AmbiguousRepository { meant, tag, .. } | M::SeveralRepositories { meant, tag, .. } => {
            tagged(meant, tag)
        }
    }
}

fn list(containers: &[ContainerImage]) -> String {
    let named = |one: &ContainerImage| format!("`{}` ({})", one.container, one.image);
    containers.iter().map(named).collect::<Vec<_>>().join(", ")
}
