"""What LocalEmu's CloudWatch lacks, as AWS documents it: metrics of AWS/Lambda, periods on the clock, statistics, math.

LocalEmu counts Invocations and Errors itself. This adds Throttles, Duration and ConcurrentExecutions
(https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html), each published as the thing happens.
"""

import contextlib
import functools
import re
import sqlite3
import threading
import time
from datetime import UTC, datetime

from localemu.aws.api.lambda_ import TooManyRequestsException
from localemu.services.cloudwatch.cloudwatch_database_helper import CloudwatchDatabase
from localemu.services.cloudwatch.provider_v2 import CloudwatchProvider
from localemu.services.lambda_.invocation.counting_service import CountingService
from localemu.utils.cloudwatch.cloudwatch_util import publish_lambda_metric


def install():
    """Patches LocalEmu."""
    count_invocations()
    align_periods()
    answer_expressions()


def count_invocations():
    lease_of = CountingService.get_invocation_lease

    @contextlib.contextmanager
    def counted(self, function, function_version, *rest):
        version = function_version.id
        lease = lease_of(self, function, function_version, *rest)
        try:
            held = lease.__enter__()
        except TooManyRequestsException:
            publish(version, Throttles=1)
            raise
        tracker = self.on_demand_concurrency_trackers[version.account, version.region]
        at_once, began = tracker.concurrent_executions[version.unqualified_arn()], time.time()
        try:
            yield held
        finally:
            lease.__exit__(None, None, None)
            millis = (time.time() - began) * 1000
            # AWS publishes Errors and Throttles of a function that is invoked, also when there were none.
            publish(version, Duration=millis, ConcurrentExecutions=at_once, Throttles=0, Errors=0)

    CountingService.get_invocation_lease = counted


def publish(version, **values):
    def go():
        name = {"func_name": version.function_name}
        for metric, value in values.items():
            publish_lambda_metric(metric, value, name, account_id=version.account, region_name=version.region)

    threading.Thread(target=go, daemon=True).start()


def align_periods():
    """Makes periods begin at whole minutes, and adds the statistics pNN and PR(:N)."""
    statistic_of = CloudwatchDatabase.get_metric_data_stat

    def aligned(self, account_id, region, query, start_time, end_time, scan_by):
        stat = query["MetricStat"]
        period = int(stat["Period"])
        if period >= 60:
            start = int(self._convert_timestamp_to_unix(start_time)) // period * period
            start_time = datetime.fromtimestamp(start, UTC)
        percentile, rank = re.fullmatch(r"p([\d.]+)", stat["Stat"]), re.fullmatch(r"PR\(:([\d.]+)\)", stat["Stat"])
        if percentile:
            of = lambda values: quantile(sorted(values), float(percentile[1]) / 100)
        elif rank:
            of = lambda values: 100 * sum(value <= float(rank[1]) for value in values) / len(values)
        else:
            return statistic_of(self, account_id, region, query, start_time, end_time, scan_by)
        start, end = (int(self._convert_timestamp_to_unix(time)) for time in (start_time, end_time))
        periods = values_by_period(self, account_id, region, stat["Metric"], start, end, period)
        timestamps = sorted(periods, reverse=scan_by != "TimestampAscending")
        return {"timestamps": timestamps, "values": [of(periods[at]) for at in timestamps]}

    CloudwatchDatabase.get_metric_data_stat = aligned


def values_by_period(database, account_id, region, metric, start, end, period):
    dimensions = database._get_ordered_dimensions_with_separator(metric.get("Dimensions", []), for_search=True)
    with database.DATABASE_LOCK, sqlite3.connect(database.METRICS_DB_READ_ONLY, uri=True) as connection:
        rows = connection.execute(
            f"SELECT timestamp, value FROM {database.TABLE_SINGLE_METRICS} WHERE account_id = ? AND region = ?"
            " AND namespace = ? AND metric_name = ? AND dimensions LIKE ? AND timestamp >= ? AND timestamp < ?",
            (account_id, region, metric["Namespace"], metric["MetricName"], dimensions, start, end),
        ).fetchall()
    periods = {}
    for at, value in rows:
        periods.setdefault(start + (int(at) - start) // period * period, []).append(value)
    return periods


def quantile(values, share):
    place = share * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def answer_expressions():
    """Metric math of GetMetricData: arithmetic and FILL, in each period by itself."""
    metrics_of = CloudwatchProvider.get_metric_data

    @functools.wraps(metrics_of)
    def with_expressions(self, context, metric_data_queries, start_time, end_time, *rest, **more):
        plain = [query for query in metric_data_queries if query.get("MetricStat")]
        answer = metrics_of(self, context, plain, start_time, end_time, *rest, **more)
        series = {found["Id"]: dict(zip(found["Timestamps"], found["Values"])) for found in answer["MetricDataResults"]}
        for query in metric_data_queries:
            if expression := query.get("Expression"):
                series[query["Id"]] = evaluate(expression, series)
        answer["MetricDataResults"] = [
            {
                "Id": query["Id"],
                "Label": query.get("Label") or query["Id"],
                "StatusCode": "Complete",
                "Timestamps": list(series[query["Id"]].keys()),
                "Values": list(series[query["Id"]].values()),
            }
            for query in metric_data_queries
            if query.get("ReturnData", True)
        ]
        return answer

    CloudwatchProvider.get_metric_data = with_expressions


def evaluate(expression, series):
    values = {}
    for at in sorted({at for of in series.values() for at in of}, reverse=True):
        names = {name: of.get(at) for name, of in series.items()}
        fill = {"FILL": lambda value, instead: instead if value is None else value, "__builtins__": {}}
        # Where a metric has no value there is none, and none either where somebody divides by 0.
        with contextlib.suppress(TypeError, ZeroDivisionError):
            values[at] = float(eval(expression, fill, names))
    return values
