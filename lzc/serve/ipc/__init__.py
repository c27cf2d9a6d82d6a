"""PACKAGE lzc/serve/ipc"""
