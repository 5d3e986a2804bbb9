//! Pages of lists: the token of the next page names the last item of this one, so that a list may change
//! between two pages. How each service names its members is in the services.

use serde_json::Value;

use crate::ids::Ids;

/// One page, and the token of the next one if there is more.
pub(crate) struct Page {
    pub(crate) items: Vec<Value>,
    pub(crate) next: Option<String>,
}

/// The page of items, each with what it is known by, that follows a token. `None`: no such token.
pub(crate) fn page(items: Vec<(String, Value)>, token: Option<&str>, size: usize) -> Option<Page> {
    let of = |key: &str| Ids::of(key).hex(48);
    let start = match token {
        None => 0,
        Some(token) => 1 + items.iter().position(|(key, _)| of(key) == token)?,
    };
    let more = start + size < items.len();
    let next = if more { items.get(start + size - 1).map(|(key, _)| of(key)) } else { None };
    let items = items.into_iter().skip(start).take(size).map(|(_, item)| item).collect();
    Some(Page { items, next })
}
