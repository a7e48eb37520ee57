"""What Kayenta's clients read of an execution: Argo's provider, Orca, Deck, Referee."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judge.wire.request import format_time

_STAGES = ("refidSetup", "metricSetMixer", "judge")


def canary_status(id: str, status: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Write ``CanaryExecutionStatusResponse``.

    A failed execution is complete and has no result, so that nobody takes it for a score.
    """
    over = status in {"succeeded", "terminal", "canceled"}
    outcome = document.get("outcome")
    accepted = document["accepted_at"]
    began, ended = document.get("started_at", accepted), document.get("ended_at")
    found: dict[str, Any] = {
        "application": document["application"],
        "pipelineId": id,
        "canaryExecutionId": id,
        "parentPipelineExecutionId": document.get("parent", ""),
        "stageStatus": dict.fromkeys(_STAGES, status),
        "complete": over,
        "status": status,
        "config": document["config"],
        "canaryConfigId": document["config"].get("id", ""),
        "canaryExecutionRequest": document["request"],
        **_stamps("buildTime", accepted),
        **_stamps("startTime", began),
    }
    if ended is not None:
        found |= _stamps("endTime", ended)
    if outcome is not None:
        found["metricSetPairListId"] = outcome["metricSetPairListId"]
        found["result"] = canary_result(document, outcome)
    if "error" in document:
        found["exception"] = {"details": {"errors": [document["error"]]}}
    return found


def _stamps(name: str, seconds: float) -> dict[str, Any]:
    return {f"{name}Millis": round(seconds * 1000), f"{name}Iso": format_time(seconds)}


def canary_result(document: Mapping[str, Any], outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Write ``result`` of a judged execution."""
    return {
        "application": document["application"],
        "judgeResult": outcome["judgeResult"],
        "config": document["config"],
        "canaryExecutionRequest": document.get("request", outcome.get("request")),
        "metricSetPairListId": outcome["metricSetPairListId"],
        "canaryDuration": outcome["duration"],
    }


def series_status(id: str, status: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Write the status of a standalone canary analysis."""
    over = status in {"succeeded", "terminal", "canceled"}
    done, plan = document["done"], document["plan"]
    results = [
        {
            "executionId": outcome["metricSetPairListId"],
            "executionStatus": "SUCCEEDED",
            "exception": None,
            "result": canary_result(document, outcome),
            "judgementStartTimeIso": outcome["startTimeIso"],
            "judgementEndTimeIso": outcome["endTimeIso"],
            "warnings": [],
        }
        for outcome in done
    ]
    stages = [
        {
            "type": "runCanary",
            "name": f"Run Canary #{number + 1}",
            "status": "succeeded" if number < len(done) else "not_started",
            "executionId": done[number]["metricSetPairListId"] if number < len(done) else None,
        }
        for number in range(len(plan["requests"]))
    ]
    found: dict[str, Any] = {
        "pipelineId": id,
        "application": document["application"],
        "parentPipelineExecutionId": "",
        "stageStatus": stages,
        "complete": over,
        "executionStatus": status.upper(),
        "status": status,
        **_stamps("buildTime", document["accepted_at"]),
    }
    if over:
        found["canaryAnalysisExecutionResult"] = _series_result(status, document, results)
    return found


def _series_result(status: str, document: Mapping[str, Any], results: list[dict[str, Any]]) -> dict[str, Any]:
    scores = [outcome["judgeResult"]["score"]["score"] for outcome in document["done"]]
    thresholds = document["plan"]["thresholds"]
    passed = status == "succeeded"
    if "error" in document:
        message = document["error"]
    elif not scores:
        message = "There were no judgements."
    elif passed:
        message = f"Final canary score {scores[-1]} met or exceeded the pass score threshold."
    elif scores[-1] <= thresholds["marginal"]:
        message = f"Canary score {scores[-1]} is not above the marginal score threshold."
    else:
        message = f"Final canary score {scores[-1]} is below the pass score threshold."
    return {
        "didPassThresholds": passed,
        "hasWarnings": False,
        "canaryScoreMessage": message,
        "canaryScores": scores,
        "canaryExecutionResults": results,
        **_stamps("buildTime", document["accepted_at"]),
    }
