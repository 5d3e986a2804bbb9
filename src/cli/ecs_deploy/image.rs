//! Image names as silintl's `ecs-deploy` reads them.

use crate::request::image::{ImageRef, is_tag};

/// The image that `-i` and `-e` name: its own tag, else that of the variable, else `latest`. A variable
/// that is set takes the place of a digest. `None`: it cannot be parsed.
pub(super) fn named(text: &str, variable: Option<&str>) -> Option<ImageRef> {
    let variable = variable.filter(|tag| !tag.is_empty());
    let (name, end) = split(text)?;
    let tag = match (end, variable) {
        (End::Tag(tag), _) => tag,
        (End::Digest(digest), None) => return format!("{name}@{digest}").parse().ok(),
        (End::Digest(_) | End::Nothing, Some(variable)) => variable.to_owned(),
        (End::Nothing, None) => "latest".to_owned(),
    };
    format!("{name}:{tag}").parse().ok()
}

/// Whether `-i` is something beside `-to`, which takes its place.
pub(super) fn is_placeholder(text: &str) -> bool {
    let text = text.strip_prefix(':').unwrap_or(text);
    let (name, tag) = text.split_once(':').unwrap_or((text, ""));
    let word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    word(name) && word(tag)
}

enum End {
    Tag(String),
    Digest(String),
    Nothing,
}

/// A name and what comes after it. The name's first part has no `_` where there are others.
fn split(text: &str) -> Option<(String, End)> {
    if let Some((name, digest)) = text.split_once('@') {
        let name = name.strip_suffix(':').unwrap_or(name);
        let bare = digest.starts_with("sha256:")
            && split(name).is_some_and(|(_, end)| matches!(end, End::Nothing));
        return bare.then(|| (name.to_owned(), End::Digest(digest.to_owned())));
    }
    let from = text.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match text[from..].split_once(':') {
        Some((last, tag)) => (&text[..from + last.len()], tag),
        None => (text, ""),
    };
    let first = name.split('/').next().unwrap_or_default();
    let fits = !name.is_empty()
        && !name.split('/').any(str::is_empty)
        && (!name.contains('/') || !first.contains('_'));
    let end = match tag {
        "" => End::Nothing,
        tag if is_tag(tag) => End::Tag(tag.to_owned()),
        _ => return None,
    };
    fits.then(|| (name.to_owned(), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(text: &str, variable: Option<&str>) -> Option<String> {
        named(text, variable).map(|image| image.to_string())
    }

    #[test]
    fn names_are_read_as_silintls_tool_reads_them() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, wanted) in [
            ("localhost:5000/x", "localhost:5000/x:latest"),
            ("a/b:", "a/b:latest"),
            ("a:5000", "a:5000"),
            ("a/b", "a/b:latest"),
            ("mariadb", "mariadb:latest"),
            ("my.host:5000/a/b/c:1", "my.host:5000/a/b/c:1"),
            // Mended: hyphens in the tag of a root image, and names that were cut in two.
            ("nginx:1.25-alpine", "nginx:1.25-alpine"),
            ("maria_db", "maria_db:latest"),
            ("maria.db:1", "maria.db:1"),
        ] {
            assert_eq!(image(text, None).as_deref(), Some(wanted), "{text}");
        }
        for at in ["@", ":@"] {
            assert_eq!(image(&format!("x/y{at}{digest}"), None), Some(format!("x/y@{digest}")));
        }
        for text in
            ["domain.com:abc/repo/image", "", ":tag", "a_b/c", "a//b", "a/b/", "a b", "x@sha512:aa"]
        {
            assert_eq!(image(text, None), None, "{text}");
        }
        assert_eq!(image(&format!("repo/image:1@{digest}"), None), None);
    }

    #[test]
    fn the_images_own_tag_then_the_variables_then_latest() {
        let digest = format!("x/y@sha256:{}", "a".repeat(64));
        assert_eq!(image("x/y:1", Some("2")).as_deref(), Some("x/y:1"));
        assert_eq!(image("x/y", Some("2")).as_deref(), Some("x/y:2"));
        assert_eq!(image("x/y", Some("")).as_deref(), Some("x/y:latest"));
        assert_eq!(image(&digest, Some("2")).as_deref(), Some("x/y:2"));
        assert_eq!(image(&digest, Some("")), Some(digest.clone()));
    }

    #[test]
    fn beside_a_tag_for_all_images_anything_simple_will_do() {
        for text in ["ignore", "c:d", ":x", "my_image"] {
            assert!(is_placeholder(text), "{text}");
        }
        for text in ["a/b", "my.host:5000/x"] {
            assert!(!is_placeholder(text), "{text}");
        }
    }
}
