//! Amazon ECR: repositories and the images in them, without layers. An image's digest is that of its
//! manifest; the manifest of a scenario's image follows from the name and the tag, so that the same world
//! has the same digests.

use std::{sync::LazyLock, time::Duration};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    image::Reference,
    journal::Change,
    partition::partition,
    protocol::{
        Fault,
        json::{Answer, Request, raw},
        paging,
        shapes::Shapes,
    },
    state::{
        Here, Region,
        ecr::{Repository, Stored},
    },
};

static SHAPES: LazyLock<Shapes> =
    LazyLock::new(|| Shapes::parse(include_str!("protocol/shapes/ecr.txt")));
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

/// Whether there is such an operation.
pub(crate) fn knows(operation: &str) -> bool {
    SHAPES.knows(operation)
}

pub(crate) fn call(here: &mut Here<'_>, operation: &str, request: &Request<'_>) -> Answer {
    request.check(&SHAPES, operation, |path| {
        Fault::parameter(format!(
            "Invalid parameter at '{path}' failed to satisfy constraint: 'Member must not be null'"
        ))
    })?;
    match operation {
        "CreateRepository" => create(here, request),
        "DescribeRepositories" => describe_repositories(here, request),
        "DescribeImages" => describe_images(here, request),
        "ListImages" => list_images(here, request),
        "BatchDeleteImage" => batch_delete(here, request),
        "BatchGetImage" => batch_get(here, request),
        "PutImage" => put(here, request),
        "GetAuthorizationToken" => authorize(here, request),
        _ => Err(Fault::new("UnknownOperationException", "")),
    }
}

fn create(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let name = request.text_of("repositoryName").unwrap_or_default().to_owned();
    if here.region.ecr.0.contains_key(&name) {
        let account = &here.shared.account;
        return Err(Fault::new(
            "RepositoryAlreadyExistsException",
            format!(
                "The repository with name '{name}' already exists in the registry with id '{account}'"
            ),
        ));
    }
    let created_at = here.now();
    here.region
        .ecr
        .0
        .insert(name.clone(), Repository { name: name.clone(), created_at, images: Vec::new() });
    let arn = here.arn("ecr", &format!("repository/{name}"));
    here.note(Change::Created { arn });
    let shown = here.region.ecr.0.get(&name).map(|one| show(here, one));
    Ok(raw(&json!({"repository": shown})))
}

/// The host of a registry.
fn host(account: &str, region: &str) -> String {
    format!("{account}.dkr.ecr.{region}.{}", partition(region).suffix)
}

fn show(here: &Here<'_>, one: &Repository) -> Value {
    json!({
        "repositoryArn": here.arn("ecr", &format!("repository/{}", one.name)),
        "registryId": here.shared.account,
        "repositoryName": one.name,
        "repositoryUri": format!("{}/{}", host(&here.shared.account, &here.region.name), one.name),
        "createdAt": one.created_at.seconds(),
        "imageTagMutability": "MUTABLE",
        "imageScanningConfiguration": {"scanOnPush": false},
        "encryptionConfiguration": {"encryptionType": "AES256"},
    })
}

fn repository_not_found(here: &Here<'_>, name: &str) -> Fault {
    let account = &here.shared.account;
    Fault::new(
        "RepositoryNotFoundException",
        format!(
            "The repository with name '{name}' does not exist in the registry with id '{account}'"
        ),
    )
}

fn find<'h>(here: &'h Here<'_>, request: &Request<'_>) -> Result<&'h Repository, Fault> {
    let name = request.text_of("repositoryName").unwrap_or_default();
    let own = request.text_of("registryId").is_none_or(|id| id == here.shared.account);
    here.region.ecr.0.get(name).filter(|_| own).ok_or_else(|| repository_not_found(here, name))
}

fn describe_repositories(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let names = request.texts_of("repositoryNames");
    for name in &names {
        here.region.ecr.0.get(name).ok_or_else(|| repository_not_found(here, name))?;
    }
    if !names.is_empty() {
        let found = names.iter().filter_map(|name| here.region.ecr.0.get(name));
        let shown: Vec<Value> = found.map(|one| show(here, one)).collect();
        return listed(request, "repositories", "repositoryNames", shown);
    }
    let shown = here.region.ecr.0.values().map(|one| (one.name.clone(), show(here, one))).collect();
    page(request, "repositories", shown)
}

/// What was asked for by name comes as a whole: pages exclude names.
fn listed(request: &Request<'_>, name: &str, by: &str, items: Vec<Value>) -> Answer {
    if request.has("maxResults") || request.has("nextToken") {
        return Err(Fault::parameter(format!(
            "Invalid parameter at '{by}' failed to satisfy constraint: 'maxResults and nextToken cannot be used when you specify {by}'"
        )));
    }
    if items.len() > 100 {
        return Err(Fault::parameter(format!(
            "Invalid parameter at '{by}' failed to satisfy constraint: 'Member must have length less than or equal to 100'"
        )));
    }
    Ok(raw(&json!({name: items})))
}

/// One page of items with what each is known by: 100 unless the request says another number, up to 1000.
fn page(request: &Request<'_>, name: &str, items: Vec<(String, Value)>) -> Answer {
    let invalid = |member: &str, what: &str| {
        Fault::parameter(format!(
            "Invalid parameter at '{member}' failed to satisfy constraint: '{what}'"
        ))
    };
    let size = match request.int_of("maxResults") {
        None => 100,
        Some(size @ 1..=1000) => usize::try_from(size).unwrap_or(100),
        Some(_) => {
            return Err(invalid("maxResults", "Member must be between 1 and 1000"));
        }
    };
    let page = paging::page(items, request.text_of("nextToken"), size)
        .ok_or_else(|| invalid("nextToken", "The pagination token is invalid"))?;
    let mut answer = json!({name: page.items});
    if let Some(token) = page.next {
        answer["nextToken"] = json!(token);
    }
    Ok(raw(&answer))
}

/// The tag and the digest that an image id names.
fn id_of(id: &Value) -> (Option<&str>, Option<&str>) {
    (id["imageTag"].as_str(), id["imageDigest"].as_str())
}

impl Repository {
    fn image(&self, tag: Option<&str>, digest: Option<&str>) -> Option<&Stored> {
        self.images.iter().find(|one| {
            (tag.is_some() || digest.is_some())
                && tag.is_none_or(|tag| one.tags.iter().any(|own| own == tag))
                && digest.is_none_or(|digest| one.digest == digest)
        })
    }
}

impl Repository {
    /// The image that an id names, or the code and the text of the failure.
    fn named(&self, id: &Value) -> Result<&Stored, (&'static str, &'static str)> {
        let (tag, digest) = id_of(id);
        let tagged = self.image(tag, None).is_some();
        match self.image(tag, digest) {
            Some(one) => Ok(one),
            None if tag.is_none() && digest.is_none() => Err((
                "MissingDigestAndTag",
                "Image identifier must contain at least one of digest and tag",
            )),
            // Both are there, and not of one image.
            None if tagged
                && digest.is_some_and(|digest| self.image(None, Some(digest)).is_some()) =>
            {
                Err(("ImageTagDoesNotMatchDigest", "Requested image tag does not match the digest"))
            }
            None => Err(("ImageNotFound", "Requested image not found")),
        }
    }
}

/// The ids in a request: 1 to 100.
fn ids(request: &Request<'_>) -> Result<Vec<Value>, Fault> {
    let ids = request.value.get("imageIds").and_then(Value::as_array).cloned().unwrap_or_default();
    match ids.len() {
        1..=100 => Ok(ids),
        _ => Err(Fault::parameter(
            "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length between 1 and 100'",
        )),
    }
}

/// The ids of all images: one for each tag, or the digest alone.
fn list_images(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let found = find(here, request)?;
    let filter = |member: &str| {
        request.value.get("filter").and_then(|filter| filter[member].as_str()).unwrap_or_default()
    };
    let (tagged, status) = (filter("tagStatus"), filter("imageStatus"));
    let mut all = Vec::new();
    for one in &found.images {
        let own = if one.archived { "ARCHIVED" } else { "ACTIVE" };
        if own != if status.is_empty() { "ACTIVE" } else { status } {
            continue;
        }
        if one.tags.is_empty() && tagged != "TAGGED" {
            all.push((one.digest.clone(), json!({"imageDigest": one.digest})));
        }
        for tag in one.tags.iter().filter(|_| tagged != "UNTAGGED") {
            let id = json!({"imageDigest": one.digest, "imageTag": tag});
            all.push((format!("{} {tag}", one.digest), id));
        }
    }
    page(request, "imageIds", all)
}

/// A tag takes that tag away, the last one the image with it; a digest the image with all its tags.
fn batch_delete(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let name = find(here, request)?.name.clone();
    let (mut gone, mut failures) = (Vec::new(), Vec::new());
    for id in ids(request)? {
        let Some(found) = here.region.ecr.0.get_mut(&name) else { break };
        let digest = match found.named(&id) {
            Ok(one) => one.digest.clone(),
            Err((code, reason)) => {
                failures.push(json!({"imageId": id, "failureCode": code, "failureReason": reason}));
                continue;
            }
        };
        let (tag, by_digest) = id_of(&id);
        for one in found.images.iter_mut().filter(|one| one.digest == digest) {
            let away: Vec<String> = match tag {
                Some(tag) => vec![tag.to_owned()],
                None => one.tags.clone(),
            };
            one.tags.retain(|own| !away.contains(own));
            gone.extend(away.iter().map(|tag| json!({"imageDigest": digest, "imageTag": tag})));
            if away.is_empty() {
                gone.push(json!({"imageDigest": digest}));
            }
        }
        let whole = tag.is_none() && by_digest.is_some();
        found.images.retain(|one| one.digest != digest || !(whole || one.tags.is_empty()));
    }
    let arn = here.arn("ecr", &format!("repository/{name}"));
    here.note(Change::Modified { arn });
    Ok(raw(&json!({"imageIds": gone, "failures": failures})))
}

fn describe_images(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let found = find(here, request)?;
    let ids = request.value.get("imageIds").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut images = Vec::new();
    for id in &ids {
        let (tag, digest) = id_of(id);
        let missing = || {
            let name = |text: Option<&str>| {
                text.map_or_else(|| "null".to_owned(), |text| format!("'{text}'"))
            };
            let text = format!(
                "The image with imageId {{imageDigest:{}, imageTag:{}}} does not exist within the repository with name '{}' in the registry with id '{}'",
                name(digest),
                name(tag),
                found.name,
                here.shared.account
            );
            Fault::new("ImageNotFoundException", text)
        };
        images.push(found.image(tag, digest).ok_or_else(missing)?);
    }
    let detail = |one: &Stored| {
        let mut detail = json!({
            "registryId": here.shared.account,
            "repositoryName": found.name,
            "imageDigest": one.digest,
            "imageSizeInBytes": 50_000_000,
            "imagePushedAt": one.pushed_at.seconds(),
            "imageManifestMediaType": MANIFEST_TYPE,
            "imageStatus": if one.archived { "ARCHIVED" } else { "ACTIVE" },
        });
        if !one.tags.is_empty() {
            detail["imageTags"] = json!(one.tags);
        }
        detail
    };
    if ids.is_empty() {
        let wanted = &request
            .value
            .get("filter")
            .map_or("ANY", |filter| filter["tagStatus"].as_str().unwrap_or("ANY"));
        let fits = |one: &&Stored| match *wanted {
            "TAGGED" => !one.tags.is_empty(),
            "UNTAGGED" => one.tags.is_empty(),
            _ => true,
        };
        let all = found.images.iter().filter(fits).map(|one| (one.digest.clone(), detail(one)));
        return page(request, "imageDetails", all.collect());
    }
    listed(request, "imageDetails", "imageIds", images.into_iter().map(detail).collect())
}

/// What a manifest says that it is.
fn media_type(manifest: &str) -> String {
    let own: Value = serde_json::from_str(manifest).unwrap_or_default();
    own["mediaType"].as_str().unwrap_or(MANIFEST_TYPE).to_owned()
}

fn batch_get(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let found = find(here, request)?;
    let asked = ids(request)?;
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in &asked {
        let (tag, _) = id_of(id);
        match found.named(id) {
            Ok(one) => {
                let mut image_id = json!({"imageDigest": one.digest});
                if let Some(tag) = tag {
                    image_id["imageTag"] = json!(tag);
                }
                images.push(json!({
                    "registryId": here.shared.account,
                    "repositoryName": found.name,
                    "imageId": image_id,
                    "imageManifest": one.manifest,
                    "imageManifestMediaType": media_type(&one.manifest),
                }));
            }
            Err((code, reason)) => {
                failures.push(json!({"imageId": id, "failureCode": code, "failureReason": reason}));
            }
        }
    }
    Ok(raw(&json!({"images": images, "failures": failures})))
}

fn put(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let found = find(here, request)?;
    let name = found.name.clone();
    let manifest = request.text_of("imageManifest").unwrap_or_default().to_owned();
    let tag = request.text_of("imageTag").map(str::to_owned);
    let digest = digest_of(&manifest);
    if request.text_of("imageDigest").is_some_and(|said| said != digest) {
        let text = "The specified image digest does not match the digest that Amazon ECR calculated for the image.";
        return Err(Fault::new("ImageDigestDoesNotMatchException", text));
    }
    if found.image(tag.as_deref(), Some(&digest)).is_some() {
        let account = &here.shared.account;
        let tag = tag.map(|tag| format!(" and tag '{tag}'")).unwrap_or_default();
        let text = format!(
            "Image with digest '{digest}'{tag} already exists in the repository with name '{name}' in registry with id '{account}'"
        );
        return Err(Fault::new("ImageAlreadyExistsException", text));
    }
    store(here, &name, tag.as_deref(), manifest.clone(), false);
    let mut image_id = json!({"imageDigest": digest});
    if let Some(tag) = tag {
        image_id["imageTag"] = json!(tag);
    }
    Ok(raw(&json!({"image": {
        "registryId": here.shared.account,
        "repositoryName": name,
        "imageId": image_id,
        "imageManifest": manifest,
    }})))
}

fn digest_of(content: &str) -> String {
    let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// A password for 12 hours: of a registry each, or of the account's own.
fn authorize(here: &mut Here<'_>, request: &Request<'_>) -> Answer {
    let mut registries = request.texts_of("registryIds");
    let invalid = |what: &str| {
        Fault::parameter(format!(
            "Invalid parameter at 'registryIds' failed to satisfy constraint: '{what}'"
        ))
    };
    if request.has("registryIds") && !(1..=10).contains(&registries.len()) {
        return Err(invalid("Member must have length between 1 and 10"));
    }
    let is_account = |id: &String| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
    if !registries.iter().all(is_account) {
        return Err(invalid("Member must satisfy regular expression pattern: [0-9]{12}"));
    }
    if registries.is_empty() {
        registries.push(here.shared.account.clone());
    }
    let (now, region) = (here.now(), &here.region.name);
    let data = registries.iter().map(|id| {
        let password = digest_of(&format!("password {id} {region} {}", now.0)).replace(':', "-");
        json!({
            "authorizationToken": base64(format!("AWS:{password}").as_bytes()),
            "expiresAt": (now + Duration::from_secs(12 * 3600)).seconds(),
            "proxyEndpoint": format!("https://{}", host(id, region)),
        })
    });
    let data: Vec<Value> = data.collect();
    Ok(raw(&json!({"authorizationData": data})))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// Puts an image of its own into a repository.
pub(crate) fn push(
    here: &mut Here<'_>,
    repository: &str,
    tag: &str,
    archived: bool,
    platforms: &[String],
) {
    if !platforms.is_empty() {
        let manifests: Vec<Value> = platforms
            .iter()
            .map(|platform| {
                let (os, architecture) = platform.split_once('/').unwrap_or(("linux", platform));
                json!({
                    "mediaType": MANIFEST_TYPE,
                    "size": 1000,
                    "digest": digest_of(&format!("{repository}:{tag} {platform}")),
                    "platform": {"os": os, "architecture": architecture},
                })
            })
            .collect();
        let index = json!({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests});
        store(here, repository, Some(tag), index.to_string(), archived);
        return;
    }
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "size": 1000,
            "digest": digest_of(&format!("{repository}:{tag} config")),
        },
        "layers": [],
    });
    store(here, repository, Some(tag), manifest.to_string(), archived);
}

fn store(
    here: &mut Here<'_>,
    repository: &str,
    tag: Option<&str>,
    manifest: String,
    archived: bool,
) {
    let pushed_at = here.now();
    let digest = digest_of(&manifest);
    let Some(found) = here.region.ecr.0.get_mut(repository) else { return };
    for one in &mut found.images {
        one.tags.retain(|own| Some(own.as_str()) != tag);
    }
    let tags: Vec<String> = tag.map(str::to_owned).into_iter().collect();
    match found.images.iter_mut().find(|one| one.digest == digest) {
        Some(one) => one.tags.extend(tags),
        None => found.images.push(Stored { digest, tags, pushed_at, archived, manifest }),
    }
    let arn = here.arn("ecr", &format!("repository/{repository}"));
    here.note(Change::Modified { arn });
}

/// The digest that a task pulls, or why it cannot: `None` for a registry that this world does not describe.
pub(crate) fn resolve(
    region: &Region,
    account: &str,
    image: &str,
    platform: &str,
) -> Result<Option<String>, String> {
    let reference = Reference::parse(image);
    let Some((owner, zone, repository)) = reference.ecr() else { return Ok(None) };
    if owner != account || zone != region.name {
        return Ok(None);
    }
    let tag =
        if reference.digest.is_some() { None } else { Some(reference.tag.unwrap_or("latest")) };
    let found = region.ecr.0.get(repository).and_then(|found| found.image(tag, reference.digest));
    match found {
        Some(one) if !one.archived && !has(&one.manifest, platform) => Err(format!(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): image Manifest does not contain descriptor matching platform '{platform}'"
        )),
        Some(one) if !one.archived => Ok(Some(one.digest.clone())),
        _ => Err(not_found(image)),
    }
}

/// Whether an image is for a platform; one without a list of them is for each.
fn has(manifest: &str, platform: &str) -> bool {
    let own: Value = serde_json::from_str(manifest).unwrap_or_default();
    let listed = own["manifests"].as_array();
    listed.is_none_or(|all| {
        all.iter().any(|one| {
            let part = |member: &str| one["platform"][member].as_str().unwrap_or_default();
            format!("{}/{}", part("os"), part("architecture")) == platform
        })
    })
}

/// How ECS says that an image cannot be pulled.
pub(crate) fn not_found(image: &str) -> String {
    format!(
        "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref {image}: {image}: not found"
    )
}
