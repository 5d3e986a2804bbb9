//! Clusters and services as people name them: by name, as `CLUSTER/SERVICE`, or by ARN.

use super::bad;
use crate::error::Usage;

/// A cluster and services of it. What contradicts is refused: cut to its last word, the ARN of a service
/// elsewhere would be a service here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The cluster: as it was typed, or its ARN where an ARN says which account and region are meant, so
    /// that AWS does not look for it in others.
    pub cluster: String,
    /// The services, by name.
    pub services: Vec<String>,
}

/// Where an ARN says that a thing is.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Home<'a> {
    partition: &'a str,
    region: &'a str,
    account: &'a str,
}

/// What one text says.
struct Named<'a> {
    name: &'a str,
    cluster: Option<&'a str>,
    home: Option<Home<'a>>,
}

impl Names {
    /// Reads `--cluster`, and options that name services of it.
    pub fn new(cluster: (&str, &str), services: &[(&str, &str)]) -> Result<Self, Usage> {
        let (option, text) = cluster;
        let own = named(option, text, "cluster")?;
        let mut home = own.home.map(|home| (home, text));
        let mut names = Vec::new();
        for &(option, text) in services {
            let service = named(option, text, "service")?;
            if let Some(other) = service.cluster.filter(|other| *other != own.name) {
                let why = format!("`{text}` is in the cluster {other}, not in {}", own.name);
                return Err(bad(option, why, &format!("{} {other}", cluster.0)));
            }
            match (home, service.home) {
                (Some((one, first)), Some(two)) if one != two => {
                    let why = format!(
                        "`{text}` is in {} of account {}, and `{first}` in {} of {}",
                        two.region, two.account, one.region, one.account
                    );
                    return Err(bad(option, why, &format!("{option} {}", service.name)));
                }
                (None, Some(two)) => home = Some((two, text)),
                _ => {}
            }
            names.push(service.name.to_owned());
        }
        let cluster = match home {
            Some((Home { partition, region, account }, _)) => {
                format!("arn:{partition}:ecs:{region}:{account}:cluster/{}", own.name)
            }
            None => text.to_owned(),
        };
        Ok(Self { cluster, services: names })
    }
}

/// The cluster that a service is named with, if it is.
pub fn cluster_of(service: &str) -> Option<&str> {
    let path = match service.strip_prefix("arn:") {
        Some(arn) => arn.split_once(":service/")?.1,
        None => service,
    };
    path.split_once('/').map(|(cluster, _)| cluster)
}

/// Whether a text that may also name something else names a service with its cluster.
pub fn is_service(text: &str) -> bool {
    match text.strip_prefix("arn:") {
        Some(arn) => arn.contains(":service/"),
        None => text.contains('/'),
    }
}

fn named<'a>(option: &str, text: &'a str, kind: &'static str) -> Result<Named<'a>, Usage> {
    let wrong = |why: &str| {
        let why = format!("`{text}` is not a {kind}: {why}");
        Err(bad(option, why, &format!("{option} NAME")))
    };
    let (path, home) = match text.strip_prefix("arn:") {
        None => (text, None),
        Some(rest) => {
            let parts: Vec<&str> = rest.splitn(5, ':').collect();
            let [partition, "ecs", region, account, resource] = parts[..] else {
                return wrong("it is the ARN of something else");
            };
            match resource.split_once('/') {
                Some((found, path)) if found == kind => {
                    (path, Some(Home { partition, region, account }))
                }
                _ => return wrong("it is the ARN of something else"),
            }
        }
    };
    let (cluster, name) = match path.split_once('/') {
        Some((cluster, name)) if kind == "service" => (Some(cluster), name),
        _ => (None, path),
    };
    if !cluster.is_none_or(is_ecs_name) || !is_ecs_name(name) {
        return wrong("1 to 255 letters, digits, `_` and `-`");
    }
    Ok(Named { name, cluster, home })
}

/// ECS's rule for the names of clusters and services (API reference of CreateService).
fn is_ecs_name(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "arn:aws:ecs:eu-central-1:123456789012";

    fn names(cluster: &str, service: &str) -> Result<(String, String), String> {
        let names = Names::new(("--cluster", cluster), &[("--service", service)]);
        let names = names.map_err(|refusal| refusal.what)?;
        Ok((names.cluster, names.services.concat()))
    }

    #[test]
    fn a_service_is_named_plainly_with_its_cluster_or_by_either_arn() {
        let plain = Ok(("shop".to_owned(), "web".to_owned()));
        assert_eq!(names("shop", "web"), plain);
        assert_eq!(names("shop", "shop/web"), plain);
        let cluster = format!("{HERE}:cluster/shop");
        let known = Ok((cluster.clone(), "web".to_owned()));
        for service in ["web", "shop/web", &format!("{HERE}:service/web")] {
            assert_eq!(names(&cluster, service), known, "{service}");
        }
        for service in [format!("{HERE}:service/shop/web"), format!("{HERE}:service/web")] {
            assert_eq!(names("shop", &service), known, "the cluster is looked for where it is");
        }
    }

    #[test]
    fn what_contradicts_is_refused_and_said() {
        let cluster = format!("{HERE}:cluster/shop");
        for (cluster, service, why) in [
            ("shop", "prod/web".to_owned(), "in the cluster prod, not in shop"),
            ("shop", format!("{HERE}:service/prod/web"), "in the cluster prod, not in shop"),
            (
                &cluster,
                format!("{}:service/shop/web", HERE.replace("1234", "9999")),
                "is in eu-central-1 of account 999956789012, and `arn:aws:ecs:eu-central-1:123456789012:cluster/shop` in eu-central-1 of 123456789012",
            ),
            (&cluster, format!("{}:service/web", HERE.replace("eu-", "us-")), "in us-central-1"),
            (&cluster, format!("{}:service/web", HERE.replace("aws", "aws-cn")), "is in"),
            ("shop", cluster.clone(), "the ARN of something else"),
            (&format!("{HERE}:service/shop/web"), "web".to_owned(), "the ARN of something else"),
            ("shop", "arn:aws:ecs:eu-central-1".to_owned(), "the ARN of something else"),
            ("shop/web", "web".to_owned(), "is not a cluster"),
            ("shop", "a/b/c".to_owned(), "is not a service"),
            ("shop", "/web".to_owned(), "is not a service"),
            ("shop", String::new(), "is not a service"),
        ] {
            let said = names(cluster, &service).unwrap_err();
            assert!(said.contains(why), "{cluster} {service}: {said}");
        }
    }
}
