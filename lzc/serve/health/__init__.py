"""PACKAGE lzc/serve/health"""
