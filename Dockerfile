# Needs BuildKit, the default builder since Docker 23.

FROM rust:1.95-bookworm AS build
WORKDIR /build
# benches/, tests/chaos/ and tests/sim/ only because Cargo.toml names their files and Cargo wants to see them.
COPY Cargo.toml Cargo.lock ./
COPY .cargo/config.toml .cargo/config.toml
COPY benches benches
COPY tests/chaos tests/chaos
COPY tests/sim tests/sim
COPY src src
# The caches keep downloads and compiled dependencies from one build to the next, also when Cargo.lock changes.
# They are no part of the layer, so the program is copied out of them. Cargo goes by file times, and an older
# checkout than the cached one would count as built already: hence the touch.
# Line tables stay behind: function names in a backtrace do, and they are most of the file.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/build/target,sharing=locked \
    touch src/lib.rs src/main.rs \
    && CARGO_PROFILE_RELEASE_STRIP=debuginfo cargo build --release --locked \
    && cp target/release/rapier-physics-service /usr/local/bin/

# The C library, libgcc and CA certificates; no shell and no package manager. Debian 12, like the build stage:
# a program linked against a newer C library than it runs with does not start.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /usr/local/bin/rapier-physics-service /usr/local/bin/rapier-physics-service
# By number, because Kubernetes' runAsNonRoot does not look names up.
USER 65532:65532
EXPOSE 9000
STOPSIGNAL SIGTERM
# No HEALTHCHECK: it would need a second program in the image. Fly, Kubernetes and load balancers ask GET /health.
ENTRYPOINT ["/usr/local/bin/rapier-physics-service"]
