# One image per program: docker build --build-arg BIN=pinger (users, processor, alerter, gateway, or upmesh for all).
# The builder makes all of them at once, so five builds cost one.

FROM node:20-slim AS dashboard
WORKDIR /src
COPY dashboard/package.json dashboard/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY dashboard ./
RUN npm run build

FROM rust:1-slim AS toolchain

# Built on the distribution it runs on: the Rust image may be a newer one, with a newer C library.
FROM debian:bookworm-slim AS build
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates g++ libssl-dev make pkg-config zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo PATH=/usr/local/cargo/bin:$PATH SQLX_OFFLINE=true
COPY --from=toolchain /usr/local/rustup /usr/local/rustup
COPY --from=toolchain /usr/local/cargo /usr/local/cargo
WORKDIR /src
COPY . ./
COPY --from=dashboard /src/dist dashboard/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked -p upmesh -p pinger -p processor -p alerter -p gateway -p users \
    && mkdir /out \
    && for bin in upmesh pinger processor alerter gateway users; do cp "target/release/$bin" /out/ || exit 1; done

FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates libssl3 zlib1g \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin upmesh \
    && install -d -o upmesh /var/lib/upmesh
ARG BIN=upmesh
COPY --from=build /out/${BIN} /usr/local/bin/program
USER 10001:10001
ENV DATA_DIR=/var/lib/upmesh LOG_FORMAT=json
ENTRYPOINT ["/usr/local/bin/program"]
