# Builds the static binary and leaves nothing else in the image.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /ragserver ./cmd/ragserver \
 && mkdir /data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /ragserver /ragserver
COPY --from=build --chown=65532:65532 /data /data
COPY --from=build --chown=65532:65532 /data /tmp
USER 65532:65532
VOLUME /data
EXPOSE 8080
# Inside a container the port is published by the host: who may reach it is
# decided there, or by keys (see the README).
ENTRYPOINT ["/ragserver", "--listen", "0.0.0.0:8080", "--data", "/data"]
CMD ["--no-auth", "/docs"]
