# Tidegate without the embedded servers: one image for `tidegate ingress` and `tidegate worker`.
FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/tidegate
# The dependencies first, from pyproject.toml alone: they are installed anew only when it changes.
COPY pyproject.toml README.md LICENSE ./
RUN mkdir pipeline ingress agents \
 && /opt/tidegate/bin/pip install --no-cache-dir . \
 && /opt/tidegate/bin/pip uninstall --yes tidegate
COPY pipeline pipeline
COPY ingress ingress
COPY agents agents
COPY examples examples
RUN /opt/tidegate/bin/pip install --no-cache-dir --no-deps . \
 && find /opt/tidegate -name __pycache__ -prune -exec rm -rf {} +

FROM python:3.12-slim
RUN useradd --system --uid 10001 --no-create-home tidegate
COPY --from=build /opt/tidegate /opt/tidegate
ENV PATH=/opt/tidegate/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER tidegate
WORKDIR /tmp
ENTRYPOINT ["tidegate"]
CMD ["--help"]
