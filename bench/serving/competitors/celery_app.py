"""Flask in front of Celery, a task for each request; REDIS is its address, MODEL the model's path. Served by gunicorn."""

import os

import numpy
import onnxruntime
from celery import Celery
from celery.signals import worker_process_init
from flask import Flask, jsonify, request

tasks = Celery("net", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
tasks.conf.update(task_serializer="json", result_serializer="json", result_expires=60, worker_prefetch_multiplier=4)
session = None


@worker_process_init.connect
def load(**_):
    global session
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])


@tasks.task
def predict(rows):
    return session.run(None, {"input": numpy.asarray(rows, dtype=numpy.float32)})[0].ravel().tolist()


app = Flask(__name__)


@app.post("/predict")
def answer():
    probabilities = predict.delay(request.get_json()["rows"]).get(timeout=30)
    return jsonify(predictions=[{"probability": each, "class": int(each > 0.5)} for each in probabilities])
