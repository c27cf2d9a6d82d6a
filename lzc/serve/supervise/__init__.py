"""PACKAGE lzc/serve/supervise"""
