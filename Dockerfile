# One static program and nothing beside it:
#
#   docker build -t ecs-bg .
#   docker run --env-file .env ecs-bg deploy --cluster shop --service web --tag shop/web=2
#
# Any image with a Rust toolchain and a C compiler builds it; with musl it is smallest.
ARG BUILDER=rust:1.95-alpine
FROM ${BUILDER} AS build
# TLS (the crate `ring`) is partly C.
RUN if command -v apk; then apk add --no-cache musl-dev; fi
WORKDIR /src
COPY . .
# Relative relocations are packed, which makes the program 5 % smaller (glibc 2.36, musl 1.2.4 or newer).
# A panic ends the program, so it needs no tables to unwind by: another 10 %.
# The target is named so that what is linked statically is the program, and not what helps to compile it.
RUN target="$(rustc -vV | sed -n 's/^host: //p')" \
 && RUSTFLAGS='-C target-feature=+crt-static -C force-unwind-tables=no' \
    cargo rustc --release --locked --target "$target" --bin ecs-bg -- -C link-arg=-Wl,-z,pack-relative-relocs \
 && mkdir -p /image/usr/local/bin \
 && cp "target/$target/release/ecs-bg" /image/usr/local/bin/ \
 && ln -s ecs-bg /image/usr/local/bin/ecs-deploy

FROM scratch
COPY --from=build /image/ /
ENV PATH=/usr/local/bin
USER 65532:65532
ENTRYPOINT ["ecs-bg"]
