//! Image references, and which containers of a task definition a wanted image is for.
//! Knows nothing of AWS but how an ECR repository is named.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::misfit::{ContainerImage, ImageMisfit};

/// A container image reference: `[registry/]path[:tag][@digest]`, as the OCI distribution
/// specification writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageRef {
    registry: Option<String>,
    path: String,
    /// The tag, when one was written.
    pub tag: Option<String>,
    /// The digest (`sha256:…`), when one was written.
    pub digest: Option<String>,
}

/// Where an image lives, when that is Amazon ECR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcrRepository {
    /// The registry's host name, as it was written: a container engine logs in to each name apart.
    pub host: String,
    /// The account that owns the registry, 12 digits.
    pub account: String,
    /// The registry's region.
    pub region: String,
    /// The repository's name.
    pub name: String,
}

impl ImageRef {
    /// The repository: everything but tag and digest, as it was written.
    pub fn repository(&self) -> String {
        match &self.registry {
            Some(registry) => format!("{registry}/{}", self.path),
            None => self.path.clone(),
        }
    }

    /// The same repository, however it is written: `nginx` is `docker.io/library/nginx`.
    pub fn same_repository(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }

    /// The same image with another tag and no digest.
    pub fn with_tag(&self, tag: &str) -> Self {
        Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() }
    }

    /// The same image, whatever its tag is moved to.
    pub fn pinned(&self, digest: &str) -> Self {
        Self { digest: Some(digest.to_owned()), ..self.clone() }
    }

    /// The ECR repository that this image lives in; `None` for every other registry.
    pub fn ecr(&self) -> Option<EcrRepository> {
        let host = self.registry.as_deref()?;
        let parts: Vec<&str> = host.split('.').collect();
        // The last two are for IPv4 and IPv6 (Amazon ECR User Guide, "Getting started with making requests
        // over IPv6"), in China below `amazonwebservices.com.cn`.
        let (account, region) = match parts[..] {
            [account, "dkr", "ecr" | "ecr-fips", region, "amazonaws", ..]
            | [account, "dkr-ecr" | "dkr-ecr-fips", region, "on", "aws"]
            | [account, "dkr-ecr", region, "on", "amazonwebservices", "com", "cn"] => {
                (account, region)
            }
            _ => return None,
        };
        let twelve_digits = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        twelve_digits.then(|| EcrRepository {
            host: host.to_owned(),
            account: account.to_owned(),
            region: region.to_owned(),
            name: self.path.clone(),
        })
    }

    /// Whether it is a name alone, and reads like a version: `2`, `v1.2.3`.
    fn is_like_a_tag(&self) -> bool {
        let version = self.path.strip_prefix('v').unwrap_or(&self.path);
        let alone = self.registry.is_none() && self.tag.is_none() && self.digest.is_none();
        alone
            && version.bytes().any(|byte| byte.is_ascii_digit())
            && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    }

    fn canonical(&self) -> (String, String) {
        if let Some(EcrRepository { account, region, name, .. }) = self.ecr() {
            return (format!("{account}.dkr.ecr.{region}"), name);
        }
        match self.registry.as_deref() {
            None | Some("docker.io" | "index.docker.io") => {
                let path = match self.path.contains('/') {
                    true => self.path.clone(),
                    false => format!("library/{}", self.path),
                };
                ("docker.io".into(), path)
            }
            Some(registry) => (registry.to_owned(), self.path.clone()),
        }
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

impl FromStr for ImageRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = |why: &str| Err(format!("`{text}` is not an image: {why}"));
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        if digest.is_some_and(|d| !is_digest(d)) {
            return bad("a digest is `sha256:` and 64 hexadecimal digits");
        }
        // With a digest, this is what ECS counts (API reference, ContainerDefinition).
        if rest.len() > LONGEST {
            return bad("it has more than 255 characters before the digest");
        }
        let (name, tag) = match rest.rsplit_once(':') {
            // A colon before a slash belongs to the registry's port.
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
            _ => (rest, None),
        };
        if tag.is_some_and(|t| !is_tag(t)) {
            return bad(
                "a tag is 1 to 128 letters, digits, `_`, `.`, `-`, and does not begin with `.` or `-`",
            );
        }
        let (registry, path) = match name.split_once('/') {
            Some((host, path)) if is_host(host) => (Some(host), path),
            _ => (None, name),
        };
        let port = registry.and_then(|host| host.split_once(':'));
        if port.is_some_and(|(_, port)| {
            port.is_empty() || !port.bytes().all(|digit| digit.is_ascii_digit())
        }) {
            return bad("the port of a registry is digits, and a tag has no `/`");
        }
        if path.is_empty() {
            return bad("the repository is missing");
        }
        if !path.split('/').all(is_component) {
            return bad(
                "a repository has lower-case letters and digits, with `.`, `_` or `-` between them, in parts separated by `/`",
            );
        }
        Ok(Self {
            registry: registry.map(str::to_owned),
            path: path.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }
}

/// Characters of an image, as ECS takes them.
const LONGEST: usize = 255;

/// As Docker decides it: the first component is a registry when it has a dot or a port.
fn is_host(text: &str) -> bool {
    text == "localhost" || text.contains(['.', ':'])
}

fn is_component(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    text.bytes().all(|b| inner(b) || matches!(b, b'.' | b'_' | b'-'))
        && text.bytes().next().is_some_and(inner)
        && text.bytes().last().is_some_and(inner)
}

/// Whether `text` can be an image's tag.
pub fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|hex| {
        hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// One `--image` or `--tag`, as it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageChange {
    /// `--image [CONTAINER=]IMAGE`
    Image {
        /// The container that it is for; without one, the container of the same repository.
        container: Option<String>,
        /// The image.
        image: ImageRef,
    },
    /// An image for every container that uses its repository.
    Repository(ImageRef),
    /// A tag for the image of every container.
    EveryTag(String),
    /// `--tag [REPOSITORY=]TAG`
    Tag {
        /// The repository whose containers get the tag; without one, the only repository.
        repository: Option<String>,
        /// The tag.
        tag: String,
    },
}

impl ImageChange {
    /// Reads the value of `--image`.
    pub fn image(text: &str) -> Result<Self, String> {
        // An image reference has no `=`, so the first one parts the container's name from it.
        let (container, image) = match text.split_once('=') {
            Some(("", _)) => {
                return Err(format!("`{text}`: the container's name before `=` is missing"));
            }
            Some((container, image)) => (Some(container.to_owned()), image),
            None => (None, text),
        };
        let image: ImageRef = image.parse()?;
        if image.is_like_a_tag() {
            return Err(format!(
                "`{text}` names a repository `{}` of Docker Hub without a tag; for the tag `{}` of the image that \
                 runs: --tag",
                image.path, image.path
            ));
        }
        Ok(Self::Image { container, image })
    }

    /// Reads the value of `--tag`.
    pub fn tag(text: &str) -> Result<Self, String> {
        let (repository, tag) = match text.split_once('=') {
            Some(("", _)) => return Err(format!("`{text}`: the repository before `=` is missing")),
            Some((repository, tag)) => (Some(repository.to_owned()), tag),
            None => (None, text),
        };
        if !is_tag(tag) {
            return Err(format!(
                "`{tag}` is not a tag: 1 to 128 letters, digits, `_`, `.`, `-`, not beginning with `.` or `-`"
            ));
        }
        Ok(Self::Tag { repository, tag: tag.to_owned() })
    }
}

/// Which container gets which image. `containers` are the names and images of the task definition
/// that is cloned. What matches nothing, or two things, is refused with a list of what is there.
pub fn resolve(
    changes: &[ImageChange],
    containers: &[(String, String)],
) -> Result<BTreeMap<String, ImageRef>, ImageMisfit> {
    let mut images = BTreeMap::new();
    for change in changes {
        for (container, image) in resolve_one(change, containers)? {
            if let Some(other) = images.insert(container.clone(), image.clone()) {
                let images = [other, image].map(|image| image.to_string());
                return Err(ImageMisfit::TwoImages { container, images });
            }
        }
    }
    Ok(images)
}

fn resolve_one(
    change: &ImageChange,
    containers: &[(String, String)],
) -> Result<Vec<(String, ImageRef)>, ImageMisfit> {
    // Images that are no valid reference (a `${VAR}` left in, say) match no repository.
    let known = || {
        containers.iter().filter_map(|(name, image)| Some((name, image.parse::<ImageRef>().ok()?)))
    };
    let present = || {
        let present = |(container, image): &(String, String)| ContainerImage {
            container: container.clone(),
            image: image.clone(),
        };
        containers.iter().map(present).collect()
    };
    match change {
        ImageChange::Image { container: Some(wanted), image } => {
            match containers.iter().any(|(name, _)| name == wanted) {
                true => Ok(vec![(wanted.clone(), image.clone())]),
                false => Err(ImageMisfit::ImageForNoContainer {
                    container: wanted.clone(),
                    image: image.to_string(),
                    containers: present(),
                }),
            }
        }
        ImageChange::Image { container: None, image } => {
            let same: Vec<&String> = known()
                .filter(|(_, current)| current.same_repository(image))
                .map(|(name, _)| name)
                .collect();
            match same[..] {
                [name] => Ok(vec![(name.clone(), image.clone())]),
                [] => {
                    // The same name in another registry: its registry was left out, more often than not.
                    let same_path = known().map(|(_, own)| own).find(|own| own.path == image.path);
                    Err(ImageMisfit::RepositoryOfNoContainer {
                        repository: image.repository(),
                        image: Some(image.to_string()),
                        tag: image.tag.clone().filter(|_| same_path.is_some()),
                        meant: same_path.map(|own| own.repository()),
                        containers: present(),
                    })
                }
                [..] => Err(ImageMisfit::RepositoryOfSeveral {
                    repository: image.repository(),
                    image: image.to_string(),
                    of: same.into_iter().cloned().collect(),
                    containers: present(),
                }),
            }
        }
        ImageChange::Repository(image) => {
            let same = known().filter(|(_, current)| current.same_repository(image));
            let same: Vec<_> = same.map(|(name, _)| (name.clone(), image.clone())).collect();
            match same.is_empty() {
                false => Ok(same),
                true => Err(ImageMisfit::RepositoryOfNoContainer {
                    repository: image.repository(),
                    image: None,
                    meant: None,
                    tag: None,
                    containers: present(),
                }),
            }
        }
        ImageChange::EveryTag(tag) => {
            Ok(known().map(|(name, image)| (name.clone(), image.with_tag(tag))).collect())
        }
        ImageChange::Tag { repository: Some(wanted), tag } => {
            let found: Vec<_> = known()
                .filter(|(_, image)| image.repository() == *wanted || image.path == *wanted)
                .map(|(name, image)| (name.clone(), image.with_tag(tag)))
                .collect();
            let mut repositories: Vec<_> =
                found.iter().map(|(_, image)| image.canonical()).collect();
            repositories.dedup();
            match repositories.len() {
                1 => Ok(found),
                0 => Err(ImageMisfit::RepositoryOfNoContainer {
                    repository: wanted.clone(),
                    image: None,
                    meant: known().next().map(|(_, image)| image.repository()),
                    tag: Some(tag.clone()),
                    containers: present(),
                }),
                _ => Err(ImageMisfit::AmbiguousRepository {
                    name: wanted.clone(),
                    tag: tag.clone(),
                    meant: found.first().map(|(_, image)| image.repository()),
                    containers: present(),
                }),
            }
        }
        ImageChange::Tag { repository: None, tag } => {
            let all: Vec<_> = known().collect();
            let one = all.first().filter(|(_, first)| {
                all.len() == containers.len()
                    && all.iter().all(|(_, image)| image.same_repository(first))
            });
            match one {
                Some(_) => Ok(all
                    .iter()
                    .map(|(name, image)| ((*name).clone(), image.with_tag(tag)))
                    .collect()),
                None => Err(ImageMisfit::SeveralRepositories {
                    tag: tag.clone(),
                    meant: all.first().map(|(_, image)| image.repository()),
                    containers: present(),
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Option<String>, String, Option<String>, Option<String>) {
        let image: ImageRef = text.parse().expect(text);
        assert_eq!(image.to_string(), text, "an image is written as it was read");
        (image.registry, image.path, image.tag, image.digest)
    }

    #[test]
    fn a_tag_is_no_image() {
        for text in ["2", "api=2", "api=v1.2.3", "api=1.0"] {
            assert!(ImageChange::image(text).is_err_and(|why| why.contains("--tag")), "{text}");
        }
        for text in ["nginx", "api=nginx", "api=2:1", "api=shop/2", "api=v8", "r.io/2"] {
            let taken = ImageChange::image(text).is_ok();
            assert_eq!(taken, text != "api=v8", "{text}");
        }
    }

    #[test]
    fn registries_ports_levels_tags_and_digests_are_told_apart() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let s = |t: &str| Some(t.to_owned());
        assert_eq!(parsed("nginx"), (None, "nginx".into(), None, None));
        assert_eq!(parsed("nginx:1.25-alpine"), (None, "nginx".into(), s("1.25-alpine"), None));
        assert_eq!(parsed("localhost:5000/x"), (s("localhost:5000"), "x".into(), None, None));
        assert_eq!(parsed("host:5000/a/b/c:9"), (s("host:5000"), "a/b/c".into(), s("9"), None));
        assert_eq!(parsed("team/app:1"), (None, "team/app".into(), s("1"), None));
        assert_eq!(
            parsed(&format!("r.io/a/b:1@{digest}")),
            (s("r.io"), "a/b".into(), s("1"), Some(digest.clone()))
        );
    }

    #[test]
    fn what_is_no_image_is_refused() {
        for text in [
            "",
            ":1",
            "a//b",
            "a/",
            "A/b",
            "a:b:c",
            "a:",
            "a@sha256:12",
            "a b",
            "-a",
            "r.io/",
            "app:feature/x",
            "r.io:/x",
        ] {
            assert!(text.parse::<ImageRef>().is_err(), "{text:?}");
        }
        let digest = format!("sha256:{}", "a".repeat(64));
        for (length, fits) in [(255, true), (256, false)] {
            let name = "a".repeat(length);
            assert_eq!(name.parse::<ImageRef>().is_ok(), fits, "{length}");
            assert_eq!(format!("{name}@{digest}").parse::<ImageRef>().is_ok(), fits, "{length}");
        }
    }

    #[test]
    fn an_ecr_repository_is_recognised() {
        let image: ImageRef =
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web:2".parse().unwrap();
        let ecr = image.ecr().unwrap();
        assert_eq!(
            (ecr.account.as_str(), ecr.region.as_str(), ecr.name.as_str()),
            ("123456789012", "eu-central-1", "shop/web")
        );
        assert!("docker.io/shop/web".parse::<ImageRef>().unwrap().ecr().is_none());
        for (host, region) in [
            ("dkr.ecr-fips.us-east-1.amazonaws.com", "us-east-1"),
            ("dkr-ecr.eu-central-1.on.aws", "eu-central-1"),
            ("dkr-ecr-fips.us-gov-west-1.on.aws", "us-gov-west-1"),
            ("dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            ("dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "cn-north-1"),
        ] {
            let image: ImageRef = format!("123456789012.{host}/shop/web:2").parse().unwrap();
            assert_eq!(image.ecr().unwrap().region, region, "{host}");
        }
        let dual: ImageRef = "123456789012.dkr-ecr.eu-central-1.on.aws/shop/web:3".parse().unwrap();
        assert!(dual.same_repository(&image), "one repository, reached in two ways");
        for host in ["dkr-ecr.eu-central-1.on.example", "x.dkr-ecr.eu-central-1.on.aws"] {
            let image: ImageRef = format!("123456789012.{host}/a").parse().unwrap();
            assert!(image.ecr().is_none(), "{host}");
        }
    }

    fn containers() -> Vec<(String, String)> {
        [
            ("web", "r.io/shop/web:1"),
            ("worker", "r.io/shop/worker:1"),
            ("cron", "r.io/shop/worker:1"),
        ]
        .map(|(name, image)| (name.into(), image.into()))
        .to_vec()
    }

    fn resolved(change: ImageChange) -> Result<String, ImageMisfit> {
        resolve(&[change], &containers()).map(|images| {
            let images = images.iter().map(|(name, image)| format!("{name}={image}"));
            images.collect::<Vec<_>>().join(" ")
        })
    }

    #[test]
    fn an_image_finds_its_container_by_whole_repository() {
        let image = |text| resolved(ImageChange::image(text).unwrap());
        assert_eq!(image("r.io/shop/web:2").unwrap(), "web=r.io/shop/web:2");
        assert_eq!(image("cron=other.io/x:2").unwrap(), "cron=other.io/x:2");
        let refused = image("shop/web:2").unwrap_err();
        let ImageMisfit::RepositoryOfNoContainer { repository, meant, tag, .. } = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(repository, "shop/web");
        assert_eq!(meant.zip(tag), Some(("r.io/shop/web".to_owned(), "2".to_owned())));
        let refused = image("r.io/shop/worker:2").unwrap_err();
        let ImageMisfit::RepositoryOfSeveral { of, .. } = refused else { panic!("{refused:?}") };
        assert_eq!(of.len(), 2);
        let refused = image("nope=r.io/shop/web:2").unwrap_err();
        let ImageMisfit::ImageForNoContainer { container, containers, .. } = refused else {
            panic!("{refused:?}")
        };
        let (container, first) = (container.as_str(), &containers[0]);
        let told = (container, first.container.as_str(), first.image.as_str());
        assert_eq!(told, ("nope", "web", "r.io/shop/web:1"));
    }

    #[test]
    fn a_tag_is_for_one_repository_and_all_its_containers() {
        let tag = |text| resolved(ImageChange::tag(text).unwrap());
        assert!(matches!(tag("2"), Err(ImageMisfit::SeveralRepositories { .. })));
        assert_eq!(
            tag("shop/worker=2").unwrap(),
            "cron=r.io/shop/worker:2 worker=r.io/shop/worker:2"
        );
        assert_eq!(tag("r.io/shop/web=2").unwrap(), "web=r.io/shop/web:2");
        assert!(matches!(tag("web=2"), Err(ImageMisfit::RepositoryOfNoContainer { .. })));
        let two = [ImageChange::tag("shop/web=2").unwrap(), ImageChange::image("web=x:3").unwrap()];
        let twice = resolve(&two, &containers());
        assert!(matches!(twice, Err(ImageMisfit::TwoImages { .. })), "{twice:?}");
    }
}
