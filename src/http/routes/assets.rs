//! Meshes that are uploaded once, and named by shapes.

use axum::{
    extract::{FromRequestParts, Path, Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};

use crate::{
    http::{
        extract::read_within,
        problem::{Problem, ProblemBody},
        problem_code::ProblemCode,
        state::AppState,
    },
    physics::{ASSET_RULE, AssetId, Fault},
    simulations::{AssetFormat, AssetSummary},
};

/// A type that says nothing: the bytes do.
const ANY_BYTES: &str = "application/octet-stream";

/// The asset that the path names.
pub(crate) struct AssetName(AssetId);

/// Uploads a mesh under the SHA-256 of its file. Once it is there it is there for everybody, and to
/// send it again changes nothing.
#[utoipa::path(
    put,
    path = "/assets/{sha256}",
    tag = "assets",
    params(("sha256" = String, Path, description = "The SHA-256 of the body, 64 lower-case hexadecimal digits")),
    request_body(
        description = "The file; with `application/octet-stream`, or no type, its format is found out",
        content(
            (Vec<u8> = "model/stl"),
            (Vec<u8> = "model/obj"),
            (Vec<u8> = "model/gltf-binary"),
            (Vec<u8> = "model/gltf+json"),
            (RawMesh = "application/json", example = json!({"vertices": [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], "indices": [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]})),
            (Vec<u8> = "application/octet-stream"),
        ),
    ),
    responses(
        (status = 201, description = "It is new", body = AssetSummary, example = json!({"sha256": "c4d5f3e6b0f54d5f1d0f6a6c6f6b1f9d9f0d5c1f2c3b4a5968778695a4b3c2d1", "format": "stl", "bytes": 684, "vertices": 8, "triangles": 12, "bounds": {"min": [-0.5, -0.5, -0.5], "max": [0.5, 0.5, 0.5]}})),
        (status = 200, description = "It was there already", body = AssetSummary, example = json!({"sha256": "c4d5f3e6b0f54d5f1d0f6a6c6f6b1f9d9f0d5c1f2c3b4a5968778695a4b3c2d1", "format": "stl", "bytes": 684, "vertices": 8, "triangles": 12, "bounds": {"min": [-0.5, -0.5, -0.5], "max": [0.5, 0.5, 0.5]}})),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn upload_asset(
    State(state): State<AppState>,
    AssetName(id): AssetName,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let format = format_of(&parts.headers)?;
    let limit = ("MAX_ASSET_BYTES", state.config.max_asset_bytes as usize);
    let bytes = read_within(&parts.headers, body, limit).await?;
    let library = &state.simulations.services().assets;
    let (summary, is_new) = library.upload(&id, format, bytes).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, [(header::ETAG, tag(&id))], axum::Json(summary)).into_response())
}

/// The file of a mesh, as it was uploaded.
#[utoipa::path(
    get,
    path = "/assets/{sha256}",
    tag = "assets",
    params(("sha256" = String, Path, description = "The SHA-256 of the file, 64 lower-case hexadecimal digits")),
    responses(
        (status = 200, description = "The file, in its own type", content(
            (Vec<u8> = "model/stl"),
            (Vec<u8> = "model/obj"),
            (Vec<u8> = "model/gltf-binary"),
            (Vec<u8> = "model/gltf+json"),
            (RawMesh = "application/json", example = json!({"vertices": [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], "indices": [[0, 1, 2]]})),
        )),
        (status = 304, description = "It is the one that the client has"),
        (status = "default", description = "A problem", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn download_asset(
    State(state): State<AppState>,
    AssetName(id): AssetName,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let file = state.simulations.services().assets.file(&id).await?;
    let etag = (header::ETAG, tag(&id));
    // What has this name never changes.
    if headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| *known == etag.1)
    {
        return Ok((StatusCode::NOT_MODIFIED, [etag]).into_response());
    }
    let media_type = (header::CONTENT_TYPE, file.format.media_type().to_owned());
    Ok(([etag, media_type], file.bytes).into_response())
}

impl<S: Send + Sync> FromRequestParts<S> for AssetName {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::<String>::from_request_parts(parts, state).await;
        let id = named.ok().and_then(|Path(text)| AssetId::parse(&text));
        id.map(Self).ok_or_else(|| {
            Problem::invalid(vec![Fault {
                pointer: String::new(),
                detail: format!("sha256 in the path {ASSET_RULE}"),
            }])
        })
    }
}

/// A mesh as it may be sent in JSON.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes what is read elsewhere")]
pub(crate) struct RawMesh {
    /// m, at most 1e5 along each axis.
    vertices: Vec<[f32; 3]>,
    /// The corners of each triangle, counterclockwise seen from outside.
    indices: Vec<[u32; 3]>,
}

/// The format that a request says its body has; nothing if that is to be found out.
fn format_of(headers: &HeaderMap) -> Result<Option<AssetFormat>, Problem> {
    let refuse = |detail| Err(Problem::new(ProblemCode::UnsupportedMediaType, detail));
    if headers.contains_key(header::CONTENT_ENCODING) {
        return refuse("the body must not be compressed");
    }
    let Some(given) = headers.get(header::CONTENT_TYPE) else {
        return Ok(None);
    };
    let given = given.to_str().unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(ANY_BYTES) {
        return Ok(None);
    }
    match AssetFormat::of_media_type(essence) {
        Some(format) => Ok(Some(format)),
        None => refuse(
            "the body must be model/stl, model/obj, model/gltf-binary, model/gltf+json, \
             application/json or application/octet-stream",
        ),
    }
}

fn tag(id: &AssetId) -> String {
    format!("\"{id}\"")
}
