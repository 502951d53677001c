# Tidegate without the embedded servers: one image for `tidegate ingress` and `tidegate worker`.
#
#   docker build --tag tidegate --build-arg VERSION=1.2.3 .
#
# The build context has no repository, so the version is an argument. Without it, `tidegate --version` says 0.0.
FROM python:3.12-slim@sha256:57cd7c3a7a273101a6485ba99423ee568157882804b1124b4dd04266317710de AS build
ARG VERSION=0.0
WORKDIR /src
# For what Tidegate has in C. The compiler stays in this stage.
RUN apt-get -q update && apt-get -q -y --no-install-recommends install gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/tidegate
# First the dependencies from the lock file (`make lock`), so that they are installed again only if this file changes.
COPY deploy/requirements.txt ./
RUN /opt/tidegate/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY pipeline pipeline
COPY ingress ingress
COPY agents agents
COPY examples examples
RUN SETUPTOOLS_SCM_PRETEND_VERSION=${VERSION} /opt/tidegate/bin/pip install --no-cache-dir --no-deps . \
 && /opt/tidegate/bin/pip check \
 && find /opt/tidegate -name __pycache__ -prune -exec rm -rf {} +

FROM python:3.12-slim@sha256:57cd7c3a7a273101a6485ba99423ee568157882804b1124b4dd04266317710de
LABEL org.opencontainers.image.title="Tidegate" \
      org.opencontainers.image.description="MQTT data into S3 through Kafka, by rules in SQL" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --system --uid 10001 --no-create-home tidegate
COPY --from=build /opt/tidegate /opt/tidegate
ENV PATH=/opt/tidegate/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER tidegate
WORKDIR /tmp
ENTRYPOINT ["tidegate"]
CMD ["--help"]
