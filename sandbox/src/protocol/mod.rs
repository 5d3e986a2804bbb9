//! How AWS is spoken to, without the meaning of any call: HTTP (`wire`), awsJson (`json`), the query
//! protocol (`query` for requests, `xml` for answers), Smithy RPC v2 (`cbor`), the tables that say which
//! members a request has (`shapes`), pages of lists (`paging`) and refusals (`Fault`). It knows no
//! service's state and no operation.

pub(crate) mod cbor;
mod fault;
pub(crate) mod json;
pub(crate) mod paging;
pub(crate) mod query;
pub(crate) mod shapes;
pub(crate) mod wire;
pub(crate) mod xml;

pub(crate) use fault::Fault;
