//! Requests that no client of this sandbox sends: those of a web page that somebody on this machine looks
//! at. The sandbox checks no signatures, so that a page could change everything in it.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, Request, header};

/// Why a request is refused, if it is. `own` is the address that the client has connected to.
pub(super) fn refusal<B>(request: &Request<B>, own: SocketAddr) -> Option<String> {
    let text = |name| text(request.headers(), name);
    let named = request.uri().authority().map(|one| one.as_str().to_owned());
    let host = named.or_else(|| text(header::HOST.as_str()));
    if let Some(host) = host.as_ref().filter(|host| !is_own(host, own)) {
        return Some(format!("{host} is not the name of this sandbox: localhost or {own}"));
    }
    if let Some(origin) = text("origin") {
        let same = origin.split_once("://").is_some_and(|(_, from)| Some(from) == host.as_deref());
        if !same {
            return Some(format!("a page of {origin} has no business here"));
        }
    }
    match text("sec-fetch-site").as_deref() {
        None | Some("none" | "same-origin") => None,
        Some(site) => Some(format!("a page of another site has no business here ({site})")),
    }
}

/// The value; one that is not text is nobody's name.
fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?").to_owned())
}

/// Whether a `Host` names this machine, or the address that was connected to. A page's own name never
/// does, whatever address it resolves to.
fn is_own(host: &str, own: SocketAddr) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
    literal.parse::<IpAddr>().is_ok_and(|address| {
        let address = address.to_canonical();
        address.is_loopback() || address == own.ip().to_canonical()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_known() {
        let own = SocketAddr::from(([192, 0, 2, 7], 4566));
        for host in [
            "localhost",
            "LOCALHOST:4566",
            "a.localhost",
            "localhost.",
            "127.0.0.1:80",
            "127.9.9.9",
            "[::1]:4566",
            "[::1]",
            "192.0.2.7:4566",
            "192.0.2.7",
        ] {
            assert!(is_own(host, own), "{host}");
        }
        for host in [
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com:4566",
            "192.0.2.8",
            "",
            ":80",
            "evil-localhost",
            "[::2]",
            "user@localhost",
        ] {
            assert!(!is_own(host, own), "{host}");
        }
    }
}
