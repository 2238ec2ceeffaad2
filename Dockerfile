# The image of hitmill: one static binary on nothing at all.
#
#   docker build --tag hitmill:0.1.0 .                                      compiles it in a container
#   docker build --tag hitmill:0.1.0 --target prebuilt --file Dockerfile FOLDER    takes FOLDER/hitmill, compiled before
#
# Both end in the same image. There is no shell in it: `hitmill health` is its health check.

FROM rust:1.95.0-alpine3.22 AS builder
# What mimalloc, zstd, lz4 and ring are compiled by, and what the client of Pulsar makes its code with.
RUN apk add --no-cache build-base protoc
WORKDIR /source
COPY . .
# The target directory stays on the builder: the next image compiles only what changed.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target \
    cargo build --release --locked --package hitmill --features cluster \
    && strip -o /hitmill target/release/hitmill

# Neither a user's name nor certificates of authorities are needed inside: users are numbers, peers are our own.
FROM scratch AS base
USER 65532:65532
ENV HITMILL_HOST__LISTEN=0.0.0.0:7700
EXPOSE 7700
# By default SIGTERM, which drains.
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s CMD ["/hitmill", "health"]
ENTRYPOINT ["/hitmill"]
CMD ["--help"]

FROM base AS prebuilt
COPY hitmill /hitmill

FROM base AS hitmill
COPY --from=builder /hitmill /hitmill
