# Builds the static binary and leaves nothing else in the image.
#   docker build --build-arg VERSION=$(git describe --tags --always) -t ragserver .
#   docker run -p 127.0.0.1:8080:8080 -v ./docs:/docs:ro -v ragserver:/data ragserver
# It runs as user 65532, who must be able to read the documents, and to write to
# /data: a volume of Docker's own is theirs; a folder of the host needs
#   sudo chown 65532:65532 ./ragserver-data
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=""
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X main.release=$VERSION" -o /ragserver ./cmd/ragserver \
 && mkdir /data /scratch && chmod 1777 /scratch

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /ragserver /ragserver
COPY --from=build --chown=65532:65532 /data /data
COPY --from=build /scratch /tmp
USER 65532:65532
VOLUME /data
EXPOSE 8080
# Variables, so that every command in the container means the same server.
ENV RAGSERVER_LISTEN=0.0.0.0:8080 RAGSERVER_DATA=/data
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/ragserver", "health"]
# Inside a container the port is published by the host: who may reach it is
# decided there, or by keys (see the README).
ENTRYPOINT ["/ragserver"]
CMD ["--no-auth", "/docs"]
