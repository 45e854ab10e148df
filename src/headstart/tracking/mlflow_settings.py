"""The environment variables that MLflow reads when it is imported."""

from collections.abc import Mapping

# By default MLflow retries an unreachable server for minutes, sends telemetry, and logs a traceback
# of each error that `say_down` reports in a sentence.
MLFLOW_DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "CRITICAL",
    "MLFLOW_EXPERIMENT_NAME": "headstart",
}
QUIET = "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"  # a link to each run, with the server's password


def quiet(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with the defaults where it sets nothing else."""
    return {**MLFLOW_DEFAULTS, **environment, QUIET: "true"}
